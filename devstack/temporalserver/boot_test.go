package temporalserver

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// Another program may take the address between the check and the server's own listening. The server ends
// the process then; here it must be an error.
func TestPortTakenAtTheLastMomentIsAnError(t *testing.T) {
	t.Parallel()
	taken, err := bind(t.Context(), "test", loopbackAt(0))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := &Server{
		addr:   local(taken),
		stores: newStores(t.TempDir()),
		log:    newLogger(slog.New(slog.DiscardHandler)),
	}
	if err := s.stores.prepare(t.Context(), "shop", nil); err != nil {
		t.Fatal(err)
	}
	options, err := s.options(t.Context(), bound(taken))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.startCore(options); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Fatalf("got %v", err)
	}
}

func TestFilesOfAnotherVersionAreRefused(t *testing.T) {
	t.Parallel()
	stores := newStores(t.TempDir())
	if err := stores.prepare(t.Context(), "shop", nil); err != nil {
		t.Fatal(err)
	}
	db, err := open(stores.visibility)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "PRAGMA user_version = 7"); err != nil {
		t.Fatal(err)
	}
	if err := stores.prepare(t.Context(), "shop", nil); !errors.Is(err, ErrOtherVersion) {
		t.Fatalf("got %v", err)
	}
}
