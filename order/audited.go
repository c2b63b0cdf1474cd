package order

// Audited is what an audit found, in short.
type Audited struct {
	Holds    bool `json:"holds"`
	Complete bool `json:"complete"` // everything was looked at
	// Violations are the broken promises by kind. The kinds of which there is none stand there with 0.
	Violations []ViolationCount `json:"violations"`
	// Omitted counts further suspicions that were not looked at twice.
	Omitted int `json:"omitted"`
	// Examples are some of the violations in words.
	Examples []string `json:"examples,omitempty"`
	Orders   int      `json:"orders"` // that were looked at
}

// ViolationCount is how often one kind of promise is broken.
type ViolationCount struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
}

// Found is how many promises are broken, or may be.
func (a Audited) Found() int {
	n := a.Omitted
	for _, v := range a.Violations {
		n += v.Count
	}
	return n
}
