package httpapi

import "net/http"

// servePlaceOrder serves POST /v1/orders, which huma documents. Served by huma, a sold-out order would cost twice as much.
func (a *API) servePlaceOrder(w http.ResponseWriter, r *http.Request) {
	in, err := readPlaceRequest(w, r)
	var answer *placeAnswer
	if err == nil {
		answer, err = a.placeOrder(r.Context(), in)
	}
	if err != nil {
		write(w, r, a.explain(r.Context(), err))
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Location", answer.Location)
	if answer.PreferenceApplied != "" {
		header.Set("Preference-Applied", answer.PreferenceApplied)
	}
	w.WriteHeader(answer.Status)
	_ = marshal(w, answer.Body) // cannot fail: it has strings and numbers only
}

// readPlaceRequest reads the body and the headers. Its error is a *Problem.
func readPlaceRequest(w http.ResponseWriter, r *http.Request) (*placeRequest, error) {
	for name := range r.URL.Query() {
		return nil, wrongField(slugInvalid, clip(name), "is not a parameter that exists")
	}
	in := &placeRequest{Key: r.Header.Get("Idempotency-Key"), Prefer: r.Header.Get("Prefer")}
	if p := readJSON(w, r, &in.Order.Value); p != nil {
		return nil, p
	}
	return in, nil
}
