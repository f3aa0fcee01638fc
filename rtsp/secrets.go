package rtsp

import (
	"errors"
	"strings"

	"mediagate/rtsp/rtspwire"
)

// What the logs and the session record may not hold: credentials and session IDs.

// maskURL hides the user and password that some players write into URLs.
func maskURL(url string) string {
	start, _, ok := rtspwire.Authority(url)
	if !ok {
		return url
	}
	scheme := strings.Index(url, "://") + len("://")
	if scheme >= start {
		return url
	}
	return url[:scheme] + "***@" + url[start:]
}

// quietError is a syntax error without the text that was read: an Authorization or Session line with a fault in it is
// still a secret.
type quietError struct{ syntax *rtspwire.SyntaxError }

// withoutText makes a syntax error fit for logs and records; any other error is as it was.
func withoutText(err error) error {
	var syntax *rtspwire.SyntaxError
	if errors.As(err, &syntax) {
		return &quietError{syntax}
	}
	return err
}

func (e *quietError) Error() string {
	quiet := *e.syntax
	quiet.What, _, _ = strings.Cut(quiet.What, ":")
	if quiet.What == "not a field" {
		quiet.Field = "a line" // all of it, as it came
	}
	return quiet.Error()
}

func (e *quietError) Unwrap() error { return e.syntax }
