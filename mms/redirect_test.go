package mms

import "testing"

func TestIsName(t *testing.T) {
	for name, authorities := range map[bool][]string{
		true: {"other.test", "other.test:1755", "other.test.", "localhost", "wms-1.example.com", "4.example.com", "_a.b"},
		false: {
			"", ":1755", ".", "a..test", "198.51.100.2", "198.51.100.2.", "198.51.100.2:x", "198.51.100.02", "3325256706", "0xc6336402",
			"198.51.100.0x2", "[2001:db8::1]", "[2001:db8::1%25eth0]:1755", "2001:db8::1", "user@other.test", "other.test?198.51.100.2",
			`other.test\198.51.100.2`, "other.test:1755:1", " other.test", "\uff11\uff19\uff18.51.100.2",
		},
	} {
		for _, a := range authorities {
			if isName(a) != name {
				t.Errorf("isName(%q) is %v", a, !name)
			}
		}
	}
}
