package gateway

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"mediagate/internal/config"
)

// certificate is a certificate with its key from two files, read anew when one of them has changed. A new pair that
// cannot be used leaves the old one in place.
type certificate struct {
	files config.TLS
	log   *zap.Logger
	now   func() time.Time

	mu      sync.Mutex // guards what follows
	pair    *tls.Certificate
	stamp   [2]fileStamp
	checked time.Time
}

// fileStamp tells whether a file has changed.
type fileStamp struct {
	at   time.Time
	size int64
}

// checkEvery is how long a look at the files is good for: a handshake should not wait for a disk.
const checkEvery = time.Second

func newCertificate(files config.TLS, log *zap.Logger) (*certificate, error) {
	c := &certificate{files: files, log: log, now: time.Now}
	pair, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
	if err != nil {
		return nil, fmt.Errorf("gateway: load certificate %q with key %q: %w", files.Certificate, files.Key, err)
	}
	c.pair, c.stamp, c.checked = &pair, c.stamps(), c.now()
	return c, nil
}

func (c *certificate) stamps() (s [2]fileStamp) {
	for i, name := range []string{c.files.Certificate, c.files.Key} {
		if info, err := os.Stat(name); err == nil {
			s[i] = fileStamp{info.ModTime(), info.Size()}
		}
	}
	return s
}

// get is the certificate for a handshake.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.checked) < checkEvery {
		return c.pair, nil
	}
	c.checked = now
	stamp := c.stamps()
	if stamp == c.stamp {
		return c.pair, nil
	}
	c.stamp = stamp // a pair that is broken is told once
	pair, err := tls.LoadX509KeyPair(c.files.Certificate, c.files.Key)
	if err != nil {
		c.log.Error("new certificate cannot be used, keeping the old one", zap.String("certificate", c.files.Certificate), zap.Error(err))
		return c.pair, nil
	}
	c.pair = &pair
	c.log.Info("certificate loaded anew", zap.String("certificate", c.files.Certificate))
	return c.pair, nil
}

// config is what a listener needs. RFC 8996: nothing below TLS 1.2.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}
