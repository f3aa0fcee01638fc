package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// TestDocs holds docs/config.md to the struct: every key has its row with its default, and every row a key.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile("../../docs/config.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := docRows(string(data))
	c := Default()
	c.VirtualServers = []VirtualServer{defaultVirtualServer()}
	c.VirtualServers[0].Routes = []Route{{}}
	c.Pools = []Pool{defaultPool()}
	c.Capture.Rules = []CaptureRule{defaultCaptureRule()}
	c.Pools[0].Nodes = []Node{defaultNode()}
	keys := map[string]string{}
	leaves(reflect.ValueOf(c).Elem(), "", keys)
	for key, value := range keys {
		row, ok := rows[key]
		if !ok {
			t.Errorf("docs/config.md has no row for %s", key)
			continue
		}
		empty := value == "" || value == "[]" || value == "invalid IP"
		if row != "required" && row != "none" && !sameDefault(row, value) {
			t.Errorf("docs/config.md: default of %s is %s, not %s", key, value, row)
		}
		if (row == "required" || row == "none") != empty {
			t.Errorf("docs/config.md: %s: %q and the default %q disagree", key, row, value)
		}
	}
	for key := range rows {
		if _, ok := keys[key]; !ok {
			t.Errorf("docs/config.md has a row for %s, which is no key", key)
		}
	}
}

// docRows returns the default column of each row whose first cell is a key.
func docRows(text string) map[string]string {
	rows := map[string]string{}
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) < 6 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		rows[strings.Trim(cells[1], " `")] = strings.Trim(cells[3], " `")
	}
	return rows
}

// leaves collects every key that holds a single value or a list of them, and its default.
func leaves(v reflect.Value, path string, into map[string]string) {
	for i := range v.NumField() {
		f, at := v.Field(i), join(path, v.Type().Field(i).Tag.Get("yaml"))
		_, own := f.Addr().Interface().(yaml.NodeUnmarshaler)
		switch {
		case !own && f.Kind() == reflect.Struct && f.Type().PkgPath() != "net/netip":
			leaves(f, at, into)
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct && f.Type() != reflect.TypeFor[[]Listen]():
			leaves(f.Index(0), at+"[]", into)
		default:
			into[at] = fmt.Sprint(f.Interface())
		}
	}
}

// sameDefault compares times by value, so that the document may say 75s for 1m15s.
func sameDefault(doc, value string) bool {
	a, errA := time.ParseDuration(doc)
	b, errB := time.ParseDuration(value)
	return doc == value || errA == nil && errB == nil && a == b
}
