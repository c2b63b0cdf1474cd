package payment

import (
	"encoding/json"
	"fmt"

	"holdfast/order"
)

// ReasonReversed is the reason of a charge that is declined because it was reversed, before or after
// the money moved.
const ReasonReversed = "reversed"

// Statuses of the provider.
const (
	statusPending  = "pending" // decided later
	statusApproved = "approved"
	statusDeclined = "declined"
	statusReversed = "reversed"
)

type chargeBody struct {
	Reference     order.ID       `json:"reference"`
	Amount        int64          `json:"amount"` // minor units
	Currency      order.Currency `json:"currency"`
	PaymentMethod string         `json:"payment_method"`
}

type reversalBody struct {
	Reference order.ID `json:"reference"`
}

type chargeAnswer struct {
	Reference order.ID       `json:"reference"`
	Status    string         `json:"status"`
	Reason    string         `json:"reason"`
	Amount    int64          `json:"amount"` // minor units
	Currency  order.Currency `json:"currency"`
}

type paymentAnswer struct {
	Reference order.ID       `json:"reference"`
	Status    string         `json:"status"`
	Reason    string         `json:"reason"`
	Charged   int64          `json:"charged"`  // minor units
	Reversed  int64          `json:"reversed"` // minor units
	Currency  order.Currency `json:"currency"`
}

// decode reads a 200.
func decode[T any](r reply) (T, error) {
	var answer T
	if err := json.Unmarshal(r.body, &answer); err != nil {
		return answer, fmt.Errorf("%w: %w", r.surprise(), err)
	}
	return answer, nil
}

// readCharge believes an answer only if it is about what was sent.
func readCharge(r reply, id order.ID, amount order.Amount) (order.Payment, error) {
	a, err := decode[chargeAnswer](r)
	if err != nil {
		return order.Payment{}, err
	}
	if a.Reference != id || a.Amount != amount.Minor || a.Currency != amount.Currency {
		return order.Payment{}, fmt.Errorf("%w: about another charge", r.surprise())
	}
	switch a.Status {
	case statusApproved:
		return order.Payment{Verdict: order.Approved}, nil
	case statusDeclined:
		return order.Payment{Verdict: order.Declined, Reason: clip(a.Reason, maxReason)}, nil
	case statusPending:
		return order.Payment{Verdict: order.PaymentPending}, nil
	}
	return order.Payment{}, fmt.Errorf("%w: an unknown status", r.surprise())
}

// readPayment reads a record whose status and money agree.
func readPayment(r reply, id order.ID) (*paymentAnswer, error) {
	a, err := decode[paymentAnswer](r)
	if err != nil {
		return nil, err
	}
	var agrees bool
	switch a.Status {
	case statusApproved:
		agrees = a.Charged > 0 && a.Reversed == 0
	case statusDeclined, statusPending:
		agrees = a.Charged == 0 && a.Reversed == 0
	case statusReversed:
		agrees = a.Charged >= 0 && a.Reversed == a.Charged
	}
	if a.Reference != id || !agrees {
		return nil, fmt.Errorf("%w: another payment, or one whose status and money disagree", r.surprise())
	}
	return &a, nil
}

// readReversal does not trust a 200 alone: the net must be zero, and stay so.
func readReversal(r reply, id order.ID) error {
	a, err := readPayment(r, id)
	if err != nil {
		return err
	}
	switch {
	case a.net() != 0:
		return fmt.Errorf("%w: a net charge is left", r.surprise())
	case a.Status == statusPending:
		return fmt.Errorf("%w: the charge may still be approved", r.surprise())
	}
	return nil
}

// net is the money taken and not given back, in minor units.
func (a *paymentAnswer) net() int64 { return a.Charged - a.Reversed }

// payment says what the record means for a charge of the amount.
func (a *paymentAnswer) payment(amount order.Amount) (order.Payment, error) {
	switch a.Status {
	case statusApproved:
		if charged := (order.Amount{Minor: a.Charged, Currency: a.Currency}); charged != amount {
			return order.Payment{}, order.Failf(order.Unknown, "the provider has a charge of %s on record, not of %s", charged, amount)
		}
		return order.Payment{Verdict: order.Approved}, nil
	case statusDeclined:
		return order.Payment{Verdict: order.Declined, Reason: clip(a.Reason, maxReason)}, nil
	case statusReversed:
		return order.Payment{Verdict: order.Declined, Reason: ReasonReversed}, nil
	case statusPending:
		return order.Payment{Verdict: order.PaymentPending}, nil
	}
	return order.Payment{}, fmt.Errorf("unknown status %q", clip(a.Status, maxReason))
}
