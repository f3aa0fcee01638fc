package sessionlog

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestClientLogTidy: what a player says of itself is as hostile as all that comes from outside.
func TestClientLogTidy(t *testing.T) {
	for _, tc := range []struct {
		name     string
		in, want *ClientLog
	}{
		{"none", nil, nil},
		{"empty", &ClientLog{}, &ClientLog{}},
		{"left out", &ClientLog{URL: "-", OS: "-", AudioCodec: "-", CPU: "--"}, &ClientLog{CPU: "--"}},
		{"password", &ClientLog{URL: "mms://u:p@h/a"}, &ClientLog{URL: "mms://h/a"}},
		{"long", &ClientLog{VideoCodec: strings.Repeat("x", 3*maxText)}, &ClientLog{VideoCodec: strings.Repeat("x", maxText-3) + "..."}},
		{"another code page", &ClientLog{HostExe: "\xe4.exe"}, &ClientLog{HostExe: "\ufffd.exe"}},
		{"backwards", &ClientLog{Rate: -5, MinQuality: 1<<32 - 1}, &ClientLog{Rate: -5, MinQuality: 1<<32 - 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := Record{ClientLog: tc.in}
			var before ClientLog
			if tc.in != nil {
				before = *tc.in
			}
			line, err := r.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			var got Record
			if err := json.Unmarshal(line, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.ClientLog); diff != "" {
				t.Error(diff)
			}
			if tc.in != nil && *tc.in != before {
				t.Errorf("the session's log was changed: %+v", *tc.in)
			}
		})
	}
}
