package sessionlog_test

import (
	"fmt"
	"time"

	"mediagate/internal/sessionlog"
)

// A session writes one record when it ends.
func ExampleWriter() {
	w, err := sessionlog.Open("", nil) // "-" for standard output, or a file's path
	if err != nil {
		fmt.Println(err)
		return
	}
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	r := &sessionlog.Record{
		ID: "a41f-17", Protocol: "rtsp", Transport: sessionlog.TransportUDP, Mode: sessionlog.ModePlay,
		Start: sessionlog.Stamp{Time: start}, Duration: sessionlog.Seconds(90 * time.Second),
		FirstMedia: sessionlog.SecondsAfter(start, start.Add(300*time.Millisecond)),
		End:        sessionlog.EndState{Who: sessionlog.WhoNobody, Phase: sessionlog.PhaseTeardown},
	}
	r.Why = r.End.Explain()
	w.Write(r)
	fmt.Println(r.End, r.Why)
	fmt.Println(w.Reopen(), w.Close(), w.Dropped()) // Reopen on SIGHUP, Close at the end
	// Output:
	// -T ended properly when it was torn down
	// <nil> <nil> 0
}
