package udprelay

import (
	"errors"
	"testing"
)

func TestParseEngine(t *testing.T) {
	for _, e := range []EngineChoice{EngineAuto, EnginePlain, EngineFast} {
		if got, err := ParseEngine(e.String()); got != e || err != nil {
			t.Errorf("%v: parsed as %v, %v", e, got, err)
		}
	}
	if _, err := ParseEngine("faster"); err == nil {
		t.Error("there is an engine faster")
	}
}

func TestOverloadReached(t *testing.T) {
	busy := Load{Loops: []LoopLoad{{Busy: 0.1}, {Busy: 0.96, DropsPerSecond: 60}, {DropsPerSecond: 60}}}
	for name, tt := range map[string]struct {
		limit Overload
		load  Load
		want  bool
	}{
		"none":          {Overload{}, busy, false},
		"plain":         {Overload{Busy: 1, Drops: 1}, Load{}, false},
		"busy":          {Overload{Busy: 95}, busy, true},
		"not so busy":   {Overload{Busy: 96}, busy, false},
		"drops":         {Overload{Drops: 100}, busy, true},
		"not so many":   {Overload{Drops: 120}, busy, false},
		"busy and calm": {Overload{Busy: 95, Drops: 100}, Load{Loops: []LoopLoad{{Busy: 0.5}}}, false},
	} {
		if err := tt.limit.reached(tt.load); errors.Is(err, ErrOverloaded) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEnginePlain(t *testing.T) {
	r := newRelay(t, Config{Engine: EnginePlain})
	if got := r.Engine(); got.Name != "plain" || got.Loops != 0 || len(r.Load().Loops) != 0 {
		t.Errorf("engine %+v, load %+v", got, r.Load())
	}
}
