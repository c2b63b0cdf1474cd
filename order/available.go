package order

// Available is what can be sold of a SKU, as its stock row says.
type Available struct {
	Units   int64 // on hand minus reserved
	Version int64 // counts the changes of the row
}
