package mmswire_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"mediagate/mms/mmswire"
)

func ExampleReader_Read() {
	stream := mmswire.AppendPacket(nil, 0, 0, mmswire.Encode(&mmswire.ReportReadBlock{PlayIncarnation: 2}))
	stream = mmswire.AppendData(stream, mmswire.Data{PlayIncarnation: 2, AFFlags: 12, Payload: []byte("ASF header")})
	r := mmswire.NewReader(bytes.NewReader(stream), mmswire.Limits{})
	for {
		item, err := r.Read()
		switch item := item.(type) {
		case *mmswire.Packet:
			fmt.Println("packet", item.Seq, item.Messages[0].MID)
		case *mmswire.Data:
			fmt.Printf("data of %d, %d bytes: %s\n", item.PlayIncarnation, len(item.Bytes()), item.Payload)
		}
		if err != nil {
			fmt.Println(err == io.EOF, r.InMessage())
			return
		}
	}
	// Output:
	// packet 0 LinkMacToViewerReportReadBlock
	// data of 2, 18 bytes: ASF header
	// true false
}

func ExampleDecode() {
	raw := mmswire.Encode(&mmswire.OpenFile{PlayIncarnation: 1, FileName: "dir/a b.wmv"})
	m, err := mmswire.Decode(raw)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.MID(), m.(*mmswire.OpenFile).FileName, len(raw.Body))

	_, err = mmswire.Decode(mmswire.Raw{MID: mmswire.MIDStopPlaying, Body: []byte{1, 0, 0, 0}})
	var syntax *mmswire.SyntaxError
	fmt.Println(errors.As(err, &syntax), err)

	m, err = mmswire.Decode(mmswire.Raw{MID: 0x00030099, Body: make([]byte, 8)})
	fmt.Println(m.MID(), len(m.(*mmswire.Unknown).Data), err)
	// Output:
	// LinkViewerToMacOpenFile dir/a b.wmv 40
	// true mmswire: read LinkViewerToMacStopPlaying at byte 4: it ends in the middle
	// MID 0x00030099 8 <nil>
}

func ExampleMIDs() {
	for _, id := range mmswire.MIDs()[:2] {
		fmt.Printf("0x%08x %v\n", uint32(id), id)
	}
	// Output:
	// 0x00030001 LinkViewerToMacConnect
	// 0x00030002 LinkViewerToMacConnectFunnel
}

func ExampleSubscriber() {
	s := mmswire.ParseSubscriber("NSPlayer/7.0.0.1956; {0a0b}; Host: gateway.test")
	fmt.Println(s.Product(), s.GUID(), s.Host())
	s.SetHost("192.0.2.20:1755")
	s.AddVia("mediagate/1.0")
	fmt.Printf("%q\n", s.String())
	// Output:
	// NSPlayer/7.0.0.1956 {0a0b} gateway.test
	// "NSPlayer/7.0.0.1956; {0a0b}; Host: 192.0.2.20:1755\x00HOST: 192.0.2.20:1755\x00VIA: mediagate/1.0"
}

func ExampleParseFunnelName() {
	f, err := mmswire.ParseFunnelName("\\\\192.0.2.7\\udp\\7000\x000")
	fmt.Println(f.Addr, f.UDP, f.Port, err)
	_, err = mmswire.ParseFunnelName(`\\192.0.2.7\UDP\70000`)
	fmt.Println(err)
	fmt.Println(mmswire.FunnelName{Addr: netip.MustParseAddr("2001:db8::7"), Port: 1755})
	// Output:
	// 192.0.2.7 true 7000 <nil>
	// mmswire: read funnel name at byte 16: the port is not 1 to 65535
	// \\2001:db8::7\TCP\1755
}

func ExampleParseData() {
	datagram := mmswire.AppendData(nil, mmswire.Data{LocationID: 0xf0f0f000, PlayIncarnation: 0xff, AFFlags: 16})
	d, err := mmswire.ParseData(datagram)
	fmt.Println(d.IsPacketPair(), err)
	_, err = mmswire.ParseData(append(datagram, 0))
	fmt.Println(err)
	// Output:
	// true <nil>
	// mmswire: read data packet at byte 6: PacketSize is not its length
}

func ExampleParseResend() {
	datagram := mmswire.AppendResend(nil, mmswire.ResendRequest{ClientID: 0xcafe, SourceID: 1, Packets: []uint32{258, 259}})
	r, err := mmswire.ParseResend(datagram)
	fmt.Printf("%x %d %d %v\n", r.ClientID, r.SourceID, r.Packets, err)
	// Output: cafe 1 [258 259] <nil>
}

func ExampleParseClientLog() {
	log := mmswire.ClientLog{OS: "Windows_XP", Transport: "UDP", Info: mmswire.ClientLogInfo{HostExe: "wmplayer.exe", ClientVersion: 10 << 48}}
	raw := mmswire.Encode(&mmswire.Logging{Log: mmswire.AppendClientLog(nil, log)})
	got, err := mmswire.ParseClientLog(raw.Body)
	fmt.Println(got.OS, got.Transport, got.Info.HostExe, got.Info.ClientVersion, err)
	// Output: Windows_XP UDP wmplayer.exe 10.0.0.0 <nil>
}
