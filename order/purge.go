package order

// Purged is what a purge has deleted.
type Purged struct {
	Orders      int64 `json:"orders"`
	Lines       int64 `json:"lines"`       // of these orders
	Assignments int64 `json:"assignments"` // of these orders, to hand-offs
	// Done: nothing is left to be purged.
	Done bool `json:"done"`
}

// Add adds what a further purge has deleted.
func (p *Purged) Add(more Purged) {
	p.Orders += more.Orders
	p.Lines += more.Lines
	p.Assignments += more.Assignments
	p.Done = more.Done
}
