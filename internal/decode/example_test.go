package decode_test

import (
	"fmt"
	"os"

	"mediagate/internal/decode"
)

func Example() {
	f, err := os.Open("../../testdata/pcap/mmst-404-ffmpeg-gateway.pcap.gz")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = f.Close() }()
	report, err := decode.Read(f, decode.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range report.Conversations {
		fmt.Println(c.ID, c.Protocol, c.URL, c.Ended)
	}
	for _, f := range report.Findings {
		fmt.Println(f.Level, f.Code, f.Text)
	}
	// Output:
	// 1 mms mms://198.51.100.1/none.wmv closed by the client
	// error refused LinkMacToViewerReportOpenFile has the result 0xC00D001A NS_E_FILE_NOT_FOUND: there is no such content on the server
}
