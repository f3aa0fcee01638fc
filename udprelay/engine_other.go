//go:build !linux

package udprelay

import "errors"

// newFast says why there is no fast engine.
func newFast(*Relay) (mover, EngineInfo, error) {
	return nil, EngineInfo{}, errors.New("this system is not Linux")
}
