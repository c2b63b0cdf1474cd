// Package paymenttest holds an adapter of a payment provider to what activities.Payments promises. It
// stands between the two as a network that refuses, cuts, holds back, repeats and mixes up, and asks the
// provider itself what became of the money. It knows the port and no provider; only tests import it.
package paymenttest

import (
	"context"
	"testing"

	"holdfast/activities"
	"holdfast/order"
)

// Provider is a real provider over HTTP, with no payment on record, and how to make an adapter of it. The
// suite asks for a fresh one for each case.
type Provider struct {
	// URL is the base of the provider's paths.
	URL string
	// NewAdapter makes an adapter that sends its requests to another base URL, which is plain HTTP/1.1 on
	// loopback. It is asked for several at a time; what they hold is released with the test.
	NewAdapter func(url string) activities.Payments
	// Books reads what the provider holds for an order, past the suite's network and without an adapter. An
	// order that it does not know has the zero Account.
	Books func(ctx context.Context, id order.ID) (Account, error)
	// Methods are the provider's payment methods.
	Methods Methods
	// Decide returns once the provider has decided an order's pending charge, or would have if it had not
	// been reversed.
	Decide func(ctx context.Context, id order.ID) error
	// ForgetKeys makes the provider forget every idempotency key. Nil if it never does.
	ForgetKeys func(ctx context.Context) error
	// KeyHeader is the header that carries the idempotency key; Idempotency-Key if empty.
	KeyHeader string
	// BlocksLateCharges is the optional promise: once Reverse has returned, the provider itself declines a
	// charge that was still on its way. Without it, Reverse must be order.Unknown as long as one may be.
	BlocksLateCharges bool
}

// Methods names one payment method for each thing that a provider may say.
type Methods struct {
	Approved, Declined string
	// PendingApproved and PendingDeclined are pending first.
	PendingApproved, PendingDeclined string
}

// Account is what a provider holds for one order.
type Account struct {
	Charges int   // that took money, whether or not it was given back
	Net     int64 // taken minus given back, in minor units
}

// Run holds the adapter to each promise in a subtest of its own. The subtests run in parallel.
func Run(t *testing.T, start func(t *testing.T) Provider) {
	t.Helper()
	for _, c := range allCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newTrial(t, start(t)))
		})
	}
}

// A testCase states one promise. It reports through the trial, so that a test can watch it fail.
type testCase struct {
	name string
	run  func(*trial)
}

func allCases() []testCase {
	var all []testCase
	for _, some := range [][]testCase{
		chargeCases(), chargeFaultCases(), parameterCases(), pendingCases(),
		lookUpCases(), lookUpFaultCases(), reverseCases(), reverseFaultCases(), lateCases(),
	} {
		all = append(all, some...)
	}
	return all
}
