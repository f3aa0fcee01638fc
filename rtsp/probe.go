package rtsp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"

	"mediagate/balancer"
)

// NewProbe returns a monitor that asks a node OPTIONS (RFC 2326, section 10.1), with gortsplib's client, which is not the code
// that carries sessions. timeout bounds the connection and each read; the monitor's own context bounds the whole. A node
// that answers anything below 500 is well: what a player may see there is no question of health.
func NewProbe(timeout time.Duration) balancer.Monitor {
	return func(ctx context.Context, n balancer.Node) error {
		url, err := base.ParseURL("rtsp://" + n.AddrPort(Service).String() + "/")
		if err != nil {
			return fmt.Errorf("rtsp: probe node %q: %w", n.Name, err)
		}
		client := &gortsplib.Client{
			Scheme: url.Scheme, Host: url.Host,
			ReadTimeout: timeout, WriteTimeout: timeout,
			UserAgent: "mediagate monitor",
			DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
				var d net.Dialer
				conn, err := d.DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				if deadline, ok := ctx.Deadline(); ok {
					return conn, conn.SetDeadline(deadline)
				}
				return conn, nil
			},
		}
		if err := client.Start2(); err != nil {
			return fmt.Errorf("rtsp: probe node %q: %w", n.Name, err)
		}
		defer client.Close()
		_, err = client.Options(url)
		var status liberrors.ErrClientBadStatusCode
		if errors.As(err, &status) && status.Code < base.StatusInternalServerError {
			return nil
		}
		if err != nil {
			return fmt.Errorf("rtsp: probe node %q: %w", n.Name, err)
		}
		return nil
	}
}
