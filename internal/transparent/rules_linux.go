package transparent

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// made begins the name of the empty chain that says whose a table is; what follows is a number of the process.
const made = "made_by_mediagate_"

// Rules is what Install has made. It is for one owner, who calls Remove at the end.
type Rules struct {
	spec   Spec
	marker string
}

// Install makes the table, the policy rules and the local routes in the network namespace of the calling thread. What a
// killed process has left of the same spec's names is replaced, also if it looked different. On an error nothing of ours
// is there: errors.Is tells ErrUnsupported and ErrConflict.
func Install(spec Spec) (*Rules, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	if !Capable() {
		return nil, explain("transparent: install", unix.EPERM)
	}
	found, err := Check(spec)
	if err != nil {
		return nil, err
	}
	if err := conflictError(found); err != nil {
		return nil, fmt.Errorf("transparent: install: %w", err)
	}
	r := &Rules{spec: spec, marker: made + newNumber()}
	// The routes first: until the table is there they lead nothing anywhere.
	if err := addRoutes(spec); err != nil {
		return nil, errors.Join(explain("transparent: install routes", err), removeRoutes(spec))
	}
	if err := replaceTable(spec, r.marker); err != nil {
		return nil, errors.Join(explain("transparent: install table "+spec.Table, err), removeRoutes(spec))
	}
	return r, nil
}

// replaceTable puts our table in the place of the one that was there, in one transaction: no packet meets neither.
func replaceTable(spec Spec, marker string) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	old := &nftables.Table{Name: spec.Table, Family: nftables.TableFamilyINet}
	conn.AddTable(old) // so that there is one to delete
	conn.DelTable(old)
	t := &table{spec: spec, conn: conn}
	if err := t.build(marker); err != nil {
		return err
	}
	return conn.Flush()
}

// Remove takes away what Install made, unless another process has put its own in its place meanwhile.
func (r *Rules) Remove() error {
	marker, err := markerOf(r.spec.Table)
	if err != nil {
		return explain("transparent: remove", err)
	}
	if marker != r.marker {
		return nil // replaced, or taken away by the operator: what is there now has another owner
	}
	conn, err := nftables.New()
	if err != nil {
		return explain("transparent: remove", err)
	}
	conn.DelTable(&nftables.Table{Name: r.spec.Table, Family: nftables.TableFamilyINet})
	if err := errors.Join(conn.Flush(), removeRoutes(r.spec)); err != nil {
		return explain("transparent: remove", err)
	}
	return nil
}

// Check finds what of Install's work is gone or was replaced, and what has come into its way since; nothing when all is
// well.
func (r *Rules) Check() ([]Conflict, error) {
	found, err := Check(r.spec)
	if err != nil {
		return nil, err
	}
	missing, err := Missing(r.spec)
	return append(missing, found...), err
}

// Missing names what Install makes and is not there.
func Missing(spec Spec) ([]Conflict, error) {
	marker, err := markerOf(spec.Table)
	if err != nil {
		return nil, explain("transparent: check", err)
	}
	var all []Conflict
	if marker == "" {
		all = append(all, Conflict{Kind: "table", What: fmt.Sprintf("table inet %s is not there", spec.Table),
			Mend: "restart mediagate"})
	}
	routes, err := missingRoutes(spec)
	if err != nil {
		return nil, explain("transparent: check", err)
	}
	return append(all, routes...), nil
}

// Counters reads what has come home ("home", first) and what was refused, by reason.
func (r *Rules) Counters() ([]Count, error) { return Counters(r.spec.Table) }

// Counters reads the counters of a table that a process of ours made, this one or another.
func Counters(name string) ([]Count, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, explain("transparent: count", err)
	}
	objects, err := conn.GetNamedObjects(&nftables.Table{Name: name, Family: nftables.TableFamilyINet})
	if err != nil {
		return nil, explain("transparent: count", err)
	}
	have := make(map[string]*expr.Counter)
	for _, o := range objects {
		if named, ok := o.(*nftables.NamedObj); ok {
			if c, ok := named.Obj.(*expr.Counter); ok {
				have[named.Name] = c
			}
		}
	}
	var all []Count
	for _, reason := range []string{"home", ReasonICMP, ReasonTCP, ReasonLate, ReasonMedia, ReasonUDP, ReasonOther} {
		name := "refused_" + reason
		if reason == "home" {
			name = reason
		}
		if c, ok := have[name]; ok {
			all = append(all, Count{Reason: reason, Packets: c.Packets, Bytes: c.Bytes})
		}
	}
	return all, nil
}

// markerOf is the name of the chain that says who made a table; "" if nobody of ours did.
func markerOf(name string) (string, error) {
	chains, err := chains()
	if err != nil {
		return "", err
	}
	for _, c := range chains {
		if c.Table.Name == name && c.Table.Family == nftables.TableFamilyINet && strings.HasPrefix(c.Name, made) {
			return c.Name, nil
		}
	}
	return "", nil
}

// chains are all of the namespace.
func chains() ([]*nftables.Chain, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, err
	}
	return conn.ListChains()
}

func newNumber() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return hex.EncodeToString(b)
}
