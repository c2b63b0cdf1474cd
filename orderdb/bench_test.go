//go:build unix

package orderdb_test

import (
	"fmt"
	"sync/atomic"
	"testing"

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
