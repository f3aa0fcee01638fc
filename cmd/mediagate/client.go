package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"mediagate/internal/config"
)

// defaultAdmin is where the commands look for a gateway that nothing tells of.
const defaultAdmin = "127.0.0.1:9554"

// adminFlags say which gateway is asked.
type adminFlags struct {
	config, at, tokenFile string
	asJSON                bool
}

func (f *adminFlags) add(cmd *cobra.Command) {
	p := cmd.PersistentFlags()
	p.StringVarP(&f.config, "config", "c", "", "configuration `FILE` of the gateway, for admin.listen and admin.token_file")
	p.StringVar(&f.at, "admin", "", "the gateway's admin.listen, `ADDR` or unix:PATH (default "+defaultAdmin+")")
	p.StringVar(&f.tokenFile, "token-file", "", "`FILE` with the gateway's token")
	p.BoolVar(&f.asJSON, "json", false, "print the answer as it came")
}

// client asks one gateway.
type client struct {
	http  *http.Client
	base  string
	token string
}

func (f *adminFlags) client() (*client, error) {
	at, tokenFile := f.at, f.tokenFile
	if f.config != "" {
		cfg, err := config.Load(f.config)
		if err != nil {
			return nil, err
		}
		if at == "" {
			at = cfg.Admin.Listen
		}
		if tokenFile == "" {
			tokenFile = cfg.Admin.TokenFile
		}
		if at == "" {
			return nil, fmt.Errorf("%s has no admin.listen; add admin: {listen: %s} and start the gateway anew", f.config, defaultAdmin)
		}
	}
	if at == "" {
		at = defaultAdmin
	}
	c := &client{base: "http://" + at}
	if tokenFile != "" {
		text, err := os.ReadFile(tokenFile)
		if err != nil {
			return nil, fmt.Errorf("read the token: %w", err)
		}
		c.token = strings.TrimSpace(string(text))
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	transport := &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: 30 * time.Second, DialContext: dialer.DialContext}
	if path, isUnix := strings.CutPrefix(at, "unix:"); isUnix {
		c.base = "http://localhost"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer.DialContext(ctx, "unix", path) }
	}
	c.http = &http.Client{Transport: transport}
	return c, nil
}

// plain is a text that came from outside without what a terminal would obey.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// maxAnswer bounds an answer that is no stream.
const maxAnswer = 64 << 20

// ask sends a request and returns the body of its answer. An error is the gateway's own sentence.
func (c *client) ask(ctx context.Context, method, path string) ([]byte, error) {
	body, err := c.open(ctx, method, path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // it was read
	return io.ReadAll(io.LimitReader(body, maxAnswer))
}

func (c *client) open(ctx context.Context, method, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("ask the gateway: %w; does it run, with admin.listen in its configuration?", err)
	}
	if resp.StatusCode < 300 {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }() // as above
	var said struct{ Error string }
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&said) != nil || said.Error == "" {
		said.Error = resp.Status
	}
	return nil, fmt.Errorf("the gateway: %s", said.Error)
}
