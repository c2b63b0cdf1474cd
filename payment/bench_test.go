package payment_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast/order"
	"holdfast/payment"
	"holdfast/payment/sandbox"
)

// BenchmarkCharges sends charges through the client, loopback HTTP and a journal on disk, both ends in
// this process. Only the ratio to BenchmarkUnjournalled means something on a shared machine.
func BenchmarkCharges(b *testing.B) {
	provider := sandbox.New(sandbox.Config{
		Addr: "127.0.0.1:0", Journal: filepath.Join(b.TempDir(), "journal"), Logger: slog.New(slog.DiscardHandler),
	})
	if err := provider.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	client := newClient(b, provider.URL(), patience)
	b.Cleanup(func() {
		client.Close()
		if err := provider.Stop(context.Background()); err != nil {
			b.Error(err)
		}
	})
	chargeAll(b, client)
}

// BenchmarkUnjournalled is what the client and HTTP cost alone: the handler decides nothing.
func BenchmarkUnjournalled(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"reference": strings.TrimPrefix(r.Header.Get("Idempotency-Key"), "charge:"),
			"status":    "approved", "amount": price.Minor, "currency": price.Currency,
		})
	}))
	b.Cleanup(server.Close)
	chargeAll(b, newClient(b, server.URL, patience))
}

func chargeAll(b *testing.B, client *payment.Client) {
	b.Helper()
	var n atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := order.ID("ord_" + strconv.FormatInt(n.Add(1), 10))
			if _, err := client.Charge(b.Context(), id, price, sandbox.TokenOK); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "charges/s")
}
