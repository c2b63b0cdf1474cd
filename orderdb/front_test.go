package orderdb_test

import "testing"

// However many programs saw Redis go, one epoch ends.
func TestAnEpochEndsOnce(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		if got := must(db.Epoch(t.Context()))(t); got != 1 {
			t.Errorf("the first epoch is %d", got)
		}
		const programs = 8
		var now [programs]int64
		atOnce(programs, func(i int) {
			var err error
			if now[i], err = db.NextEpoch(t.Context(), 1); err != nil {
				t.Error(err)
			}
		})
		for i, epoch := range now {
			if epoch != 2 {
				t.Errorf("program %d is told of epoch %d, want 2", i, epoch)
			}
		}
		if got := must(db.NextEpoch(t.Context(), 2))(t); got != 3 {
			t.Errorf("the next epoch is %d, want 3", got)
		}
		if got := must(db.NextEpoch(t.Context(), 1))(t); got != 3 {
			t.Errorf("who still knew the first is told of %d, want 3", got)
		}
	})
}

func TestAnEpochThatWasDeletedByHandBeginsAgain(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.exec(t, "DELETE FROM front")
		if got := must(db.Epoch(t.Context()))(t); got != 1 {
			t.Errorf("the epoch is %d, want 1", got)
		}
		db.exec(t, "DELETE FROM front")
		if got := must(db.NextEpoch(t.Context(), 7))(t); got != 8 {
			t.Errorf("the epoch after the seventh is %d", got)
		}
	})
}
