package temporalserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.temporal.io/server/common/log/tag"
)

func TestLoggerPassesOnlyErrorsThatMatter(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := newLogger(slog.New(slog.NewTextHandler(&out, nil)))
	broken := tag.Error(errors.New("disk full"))

	l.Error("starting", broken)
	l.serving(true)
	l.Info("chatter")
	l.Warn("chatter")
	l.Error("poll", tag.Error(fmt.Errorf("poll: %w", context.Canceled)))
	with := l.With(tag.String("queue", "timer"))
	with.Error("write", broken)
	with.Error("write", broken)
	l.serving(false)
	l.Error("stopping", broken)

	got := out.String()
	if strings.Count(got, "\n") != 1 {
		t.Fatalf("want one line, got\n%s", got)
	}
	for _, want := range []string{"level=ERROR", "msg=write", "component=temporal", "queue=timer", `error="disk full"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
}
