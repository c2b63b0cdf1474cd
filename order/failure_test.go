package order_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"
	"time"

	"holdfast/order"
)

func TestAFailureKeepsItsClassHoweverItIsWrapped(t *testing.T) {
	t.Parallel()
	for _, class := range []order.Class{order.Transient, order.Final, order.Unknown} {
		failure := order.Failf(class, "ask the provider: %w", io.ErrUnexpectedEOF)
		for name, err := range map[string]error{
			"bare":          failure,
			"wrapped":       fmt.Errorf("charge: %w", failure),
			"wrapped twice": fmt.Errorf("step: %w", fmt.Errorf("charge: %w", failure)),
			"joined":        errors.Join(errors.New("and this"), failure),
			"as a cause":    order.AsFailure(fmt.Errorf("charge: %w", failure)),
		} {
			got := order.AsFailure(err)
			if got.Class != class {
				t.Errorf("%s %s became %s", name, class, got.Class)
			}
			if got.Error() != err.Error() {
				t.Errorf("%s: says %q, want %q", name, got, err)
			}
			if !errors.Is(got, io.ErrUnexpectedEOF) {
				t.Errorf("%s: lost its cause", name)
			}
		}
	}
}

func TestWhatHasNoClassIsUnknown(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		errors.New("something"), io.EOF, context.Canceled, context.DeadlineExceeded,
		fmt.Errorf("the worker stops: %w", context.Canceled), errors.Join(io.EOF, context.Canceled),
	} {
		got := order.AsFailure(err)
		if got.Class != order.Unknown || got.Message != err.Error() || !errors.Is(got, err) {
			t.Errorf("%v became %s %q", err, got.Class, got.Message)
		}
	}
	if got := order.AsFailure(nil); got != nil {
		t.Errorf("no error became %v", got)
	}
}

func TestAFailureCrossesProcesses(t *testing.T) {
	t.Parallel()
	sent := order.Undecided[order.Payment](fmt.Errorf("charge: %w", order.Failf(order.Transient, "refused: %w", io.EOF)))
	got := overTheWire(t, sent)
	if got.Failure == nil || got.Failure.Class != order.Transient || got.Failure.Message != "charge: refused: EOF" {
		t.Errorf("arrived as %+v", got.Failure)
	}
	if got.Failure.Unwrap() != nil {
		t.Errorf("a failure from another process has the cause %v", got.Failure.Unwrap())
	}
	if again := order.AsFailure(got.Failure); again.Class != order.Transient {
		t.Errorf("its class became %s", again.Class)
	}
}

func TestAnAnswerCrossesProcesses(t *testing.T) {
	t.Parallel()
	for _, row := range []order.Row{
		{Missing: true},
		{KeyReused: true},
		{
			Status: order.Rejected, Reason: order.ReasonSoldOut, Detail: "mug", Changed: true, Held: true, Settled: true,
			CreatedAt: time.Date(2026, 11, 22, 1, 2, 3, 456789000, time.UTC),
		},
	} {
		if got := overTheWire(t, order.Decided(row)); got.Failure != nil || !reflect.DeepEqual(got.Answer, row) {
			t.Errorf("%+v arrived as %+v, %v", row, got.Answer, got.Failure)
		}
	}
	for _, r := range []order.Reservation{
		{Verdict: order.Reserved, Taken: true},
		{Verdict: order.SoldOut, SKUs: []string{"mug"}, Taken: true},
	} {
		if got := overTheWire(t, order.Decided(r)); !reflect.DeepEqual(got.Answer, r) {
			t.Errorf("%+v arrived as %+v", r, got.Answer)
		}
	}
}

func TestOnlyARefusalForLackOfUnitsIsRefused(t *testing.T) {
	t.Parallel()
	for verdict, want := range map[order.Verdict]bool{
		order.SoldOut: true, order.UnknownSKU: true, order.Reserved: false, order.Released: false, order.KeyReused: false, "": false,
	} {
		if got := (order.Reservation{Verdict: verdict}).Refused(); got != want {
			t.Errorf("%q refused: %t", verdict, got)
		}
	}
}

func overTheWire[T any](t *testing.T, sent T) (got T) {
	t.Helper()
	encoded, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatal(err)
	}
	return got
}
