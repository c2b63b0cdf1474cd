package order

// Available is what can be sold of a SKU, as its stock row says.
type Available struct {
	Units   int64 // on hand minus reserved
	Version int64 // counts the changes of the row
	Limit   int64 // units that one customer may have, 1 to MaxLimitPerCustomer; 0 for no limit
}
