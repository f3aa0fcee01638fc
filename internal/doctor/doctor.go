package doctor

import (
	"context"
	"fmt"
	"net/netip"

	"mediagate/internal/config"
	"mediagate/internal/transparent"
)

// States of a Result.
const (
	OK    = "ok"
	Fault = "fault"
	Skip  = "skip" // it could not be tested, or is not wanted; What says why
)

// Result is what one test found.
type Result struct {
	Test  string `json:"test"`  // its name, the same in every version
	State string `json:"state"` // OK, Fault or Skip
	What  string `json:"what"`  // what was found; of a fault its cause
	Mend  string `json:"mend"`  // of a fault: the command or the change that mends it
}

// Spec is what is examined.
type Spec struct {
	Config      *config.Config
	Transparent transparent.Spec // without origins if no pool is transparent
	Warnings    []string         // what else the machine grants less of than the configuration asks for
	// Clients are addresses, one of each family, that no machine has and that the probe takes for a client's. Those of
	// documentation serve (RFC 5737, RFC 3849) unless nodes have no route for them.
	Clients []netip.Addr
}

// examiner collects results.
type examiner struct {
	spec    Spec
	results []Result
}

// Examine runs all tests in their order. ctx bounds the probes, each of which takes three seconds at most.
func Examine(ctx context.Context, s Spec) []Result {
	e := &examiner{spec: s}
	e.privileges()
	e.addresses()
	e.ports()
	e.buffers()
	if len(s.Transparent.Origins) > 0 {
		e.rules()
		e.filters()
		e.tracking()
	}
	if len(e.spec.Config.Relay.XDP) > 0 {
		e.interfaces()
	}
	e.units()
	e.nodes(ctx)
	return e.results
}

func (e *examiner) ok(test, format string, args ...any) {
	e.results = append(e.results, Result{Test: test, State: OK, What: fmt.Sprintf(format, args...)})
}

func (e *examiner) skip(test, format string, args ...any) {
	e.results = append(e.results, Result{Test: test, State: Skip, What: fmt.Sprintf(format, args...)})
}

func (e *examiner) fault(test, mend, format string, args ...any) {
	e.results = append(e.results, Result{Test: test, State: Fault, What: fmt.Sprintf(format, args...), Mend: mend})
}

// faults tells whether a test has found any.
func (e *examiner) faulty(test string) bool {
	for _, r := range e.results {
		if r.Test == test && r.State == Fault {
			return true
		}
	}
	return false
}

// Faulty tells whether any result is a fault.
func Faulty(all []Result) bool {
	for _, r := range all {
		if r.State == Fault {
			return true
		}
	}
	return false
}
