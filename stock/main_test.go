//go:build unix

package stock_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // servers go away here by design
	m.Run()
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
