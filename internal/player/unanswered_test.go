package player

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
)

func TestUnanswered(t *testing.T) {
	dial := func(err error) error { return fmt.Errorf("player: connect: %w", &net.OpError{Op: "dial", Err: err}) }
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"silence", dial(os.ErrDeadlineExceeded), true},
		{"refused", dial(errors.New("connection refused")), false},
		{"silence on a connection", &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, false},
		{"another", context.Canceled, false},
	} {
		if got := unanswered(c.err); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
