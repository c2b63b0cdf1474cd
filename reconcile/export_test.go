package reconcile

// Sizes sets the bounds that tests need smaller.
func (r *Reconciler) Sizes(page, skus, suspects, orders int) *Reconciler {
	r.page, r.skus, r.suspects, r.orders = page, skus, suspects, orders
	return r
}
