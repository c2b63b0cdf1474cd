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
		second := now[0]
		for i, epoch := range now {
			if epoch != second || epoch <= 1 {
				t.Errorf("program %d is told of epoch %d, the first of %d", i, epoch, second)
			}
		}
		third := must(db.NextEpoch(t.Context(), second))(t)
		if third <= second {
			t.Errorf("after %d comes %d", second, third)
		}
		if got := must(db.NextEpoch(t.Context(), 1))(t); got != third {
			t.Errorf("who still knew the first is told of %d, want %d", got, third)
		}
	})
}

func TestAnEpochThatWasDeletedByHandBeginsAgain(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		db.exec(t, "DELETE FROM front")
		begun := must(db.Epoch(t.Context()))(t)
		if begun <= 1 {
			t.Errorf("the epoch is %d: counts of the first would be trusted", begun)
		}
		db.exec(t, "DELETE FROM front")
		if got := must(db.NextEpoch(t.Context(), begun))(t); got <= begun {
			t.Errorf("the epoch after %d is %d", begun, got)
		}
	})
}
