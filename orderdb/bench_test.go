//go:build unix

package orderdb_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/order"
	"holdfast/orderdb"
)

// BenchmarkOpenAndCommit carries orders of one hot SKU through the straight path. One batch of one at a
// time is what a single shopper meets; batches side by side are what a flash sale makes.
func BenchmarkOpenAndCommit(b *testing.B) {
	for name, empty := range engines {
		for _, size := range []int{1, 200} {
			for _, lanes := range []int{1, 16} {
				b.Run(fmt.Sprintf("%s/batch=%d/lanes=%d", name, size, lanes), func(b *testing.B) {
					db := empty(b)
					migrate(b, db)
					if _, _, err := db.SetStock(b.Context(), "mug", orderdb.Setting{OnHand: order.MaxUnits}, 0); err != nil {
						b.Fatal(err)
					}
					var next atomic.Int64
					b.SetParallelism(lanes)
					run := func() {
						batch := make([]order.Order, size)
						for i := range batch {
							batch[i] = newOrder(b, next.Add(1), 1)
						}
						if _, err := db.Open(b.Context(), openings(batch...)); err != nil {
							b.Error(err)
						}
						if _, err := db.Commit(b.Context(), keys(batch...)); err != nil {
							b.Error(err)
						}
					}
					b.ResetTimer()
					if lanes == 1 {
						for b.Loop() {
							run()
						}
					} else {
						b.RunParallel(func(pb *testing.PB) {
							for pb.Next() {
								run()
							}
						})
					}
					b.ReportMetric(float64(size*b.N)/b.Elapsed().Seconds(), "orders/s")
				})
			}
		}
	}
}

// BenchmarkTheDaysEnd hands orders off in pages of 500 and purges them in batches of 200.
func BenchmarkTheDaysEnd(b *testing.B) {
	const n, pageSize, batch = 40_000, 500, 200
	for name, empty := range engines {
		b.Run(name, func(b *testing.B) {
			db := empty(b)
			migrate(b, db)
			if _, _, err := db.SetStock(b.Context(), "mug", orderdb.Setting{OnHand: order.MaxUnits}, 0); err != nil {
				b.Fatal(err)
			}
			var handingOff, purging time.Duration
			for round := range b.N {
				for i := 0; i < n; i += batch {
					orders := make([]order.Order, batch)
					for j := range orders {
						orders[j] = newOrder(b, fmt.Sprint(round, "-", i+j), 1)
					}
					must(db.Open(b.Context(), openings(orders...)))(b)
					must(db.Commit(b.Context(), keys(orders...)))(b)
				}
				began := time.Now()
				for p := 1; p <= n/pageSize; p++ {
					key := page(fmt.Sprint("h-", round), p)
					if err := db.Assign(b.Context(), key, later, pageSize); err != nil {
						b.Fatal(err)
					}
					if _, _, err := db.Manifest(b.Context(), key); err != nil {
						b.Fatal(err)
					}
					if d := must(db.Deliver(b.Context(), key, nil))(b); d.HandedOff != pageSize {
						b.Fatalf("%+v", d)
					}
				}
				handingOff += time.Since(began)
				began = time.Now()
				for done := false; !done; {
					done = must(db.Purge(b.Context(), later, batch))(b).Done
				}
				purging += time.Since(began)
			}
			b.ReportMetric(0, "ns/op") // it would be mostly the making of the orders
			b.ReportMetric(n*float64(b.N)/handingOff.Seconds(), "handed-off/s")
			b.ReportMetric(n*float64(b.N)/purging.Seconds(), "purged/s")
		})
	}
}
