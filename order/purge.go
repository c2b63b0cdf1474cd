package order

// Purged is what a purge has deleted.
type Purged struct {
	Orders int64 `json:"orders"`
	// Rows are the deleted rows by their table, of orders and of what belonged to them.
	Rows map[string]int64 `json:"rows"`
	// Done: nothing is left to be purged.
	Done bool `json:"done"`
}

// Add adds what a further purge has deleted.
func (p *Purged) Add(more Purged) {
	p.Orders += more.Orders
	p.Done = more.Done
	if p.Rows == nil {
		p.Rows = make(map[string]int64)
	}
	for table, n := range more.Rows {
		p.Rows[table] += n
	}
}
