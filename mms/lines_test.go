package mms

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"mediagate/mms/mmswire"
)

// A line of a dialog is one message: its name and those of its fields that are not what usual has.
//
//	Connect subscriberName="NSPlayer/7.0.0.1956; {...}; Host: gw.test"
//	Data locationID=1 playIncarnation=2 afFlags=12 payload="header"
//	OpenFile body=0x0100          a message of which nothing can be read, as it stands
//	MID 0x00030042 body=0x01...   one that [MS-MMSP] does not have
//	bytes 0x47455420              no message
//	bytes "GET / HTTP/1.0\r\n"    the same

// usual is what a message mostly says; with a result that is an error, what the gateway says then.
func usual(mid mmswire.MID, hr uint32) mmswire.Message {
	const ok, all = mmswire.DisablePacketPair, 0xffffffff
	if failed(hr) {
		return usualFailure(mid)
	}
	switch mid {
	case mmswire.MIDConnect:
		return &mmswire.Connect{MacToViewerProtocolRevision: mmswire.MacToViewerRevision, ViewerToMacProtocolRevision: mmswire.ViewerToMacRevision}
	case mmswire.MIDConnectFunnel:
		return &mmswire.ConnectFunnel{MaxBlockBytes: all, MaxBitRate: 10000000, FunnelMode: 2}
	case mmswire.MIDFunnelInfo:
		return &mmswire.FunnelInfo{PlayIncarnation: ok}
	case mmswire.MIDOpenFile:
		return &mmswire.OpenFile{PlayIncarnation: 1}
	case mmswire.MIDReadBlock:
		return &mmswire.ReadBlock{OpenFileID: 1, Length: 0x8000, Flags: all, TDeadline: 3600, PlayIncarnation: 2}
	case mmswire.MIDStartPlaying:
		return &mmswire.StartPlaying{OpenFileID: 1, AsfOffset: all, LocationID: all, PlayIncarnation: 4}
	case mmswire.MIDStopPlaying:
		return &mmswire.StopPlaying{OpenFileID: 1}
	case mmswire.MIDCloseFile:
		return &mmswire.CloseFile{PlayIncarnation: 1, OpenFileID: 1}
	case mmswire.MIDSecurityResponse:
		return &mmswire.SecurityResponse{PlayIncarnation: 1}
	case mmswire.MIDReportConnectedEX:
		return new(Proxy).greet()
	case mmswire.MIDReportFunnelInfo:
		return &mmswire.ReportFunnelInfo{PlayIncarnation: ok, TransportMask: 8, NBlockFragments: 1, FragmentBytes: 0x10000, NDisks: 1}
	case mmswire.MIDReportConnectedFunnel:
		return &mmswire.ReportConnectedFunnel{FunnelName: "Funnel Of The Gods"}
	case mmswire.MIDReportOpenFile:
		return &mmswire.ReportOpenFile{PlayIncarnation: 1, OpenFileID: 1, FileAttributes: mmswire.AttributeCanSeek, FileDuration: 12.5,
			FileBlocks: 13, FilePacketSize: 1444, FilePacketCount: 416, FileBitRate: 300000, FileHeaderSize: 642}
	case mmswire.MIDReportReadBlock:
		return &mmswire.ReportReadBlock{PlayIncarnation: 2}
	case mmswire.MIDReportStartedPlaying:
		return &mmswire.ReportStartedPlaying{PlayIncarnation: 4, TigerFileID: 1}
	case mmswire.MIDReportEndOfStream:
		return &mmswire.ReportEndOfStream{PlayIncarnation: 4}
	case mmswire.MIDReportRedirect:
		return &mmswire.ReportRedirect{RedirectType: 1}
	case mmswire.MIDSecurityChallenge:
		return &mmswire.SecurityChallenge{PlayIncarnation: 1}
	}
	m, _ := mmswire.Decode(mmswire.Raw{MID: mid, Body: make([]byte, 256)})
	return reflect.New(reflect.TypeOf(m).Elem()).Interface().(mmswire.Message)
}

func usualFailure(mid mmswire.MID) mmswire.Message {
	switch mid {
	case mmswire.MIDReportConnectedEX:
		return refusal(mmswire.MIDConnect, 0, 0)
	case mmswire.MIDReportFunnelInfo:
		return refusal(mmswire.MIDFunnelInfo, 0, 0)
	case mmswire.MIDReportOpenFile:
		return refusal(mmswire.MIDOpenFile, 1, 0)
	}
	return usual(mid, 0)
}

// short is a message's name without its direction.
func short(mid mmswire.MID) string {
	return strings.TrimPrefix(strings.TrimPrefix(mid.String(), "LinkViewerToMac"), "LinkMacToViewer")
}

func midOf(name string) (mmswire.MID, bool) {
	for _, mid := range mmswire.MIDs() {
		if short(mid) == name {
			return mid, true
		}
	}
	return 0, false
}

// lineOf writes an item as a line.
func lineOf(item mmswire.Item) string {
	switch it := item.(type) {
	case *mmswire.Data:
		return fmt.Sprintf("Data locationID=%s playIncarnation=%d afFlags=%d payload=%q", number(uint64(it.LocationID)), it.PlayIncarnation, it.AFFlags, it.Payload)
	case *mmswire.Packet:
		var all []string
		for _, m := range it.Messages {
			all = append(all, messageLine(m))
		}
		return strings.Join(all, " + ")
	}
	return fmt.Sprintf("%T", item)
}

func messageLine(raw mmswire.Raw) string {
	m, err := mmswire.Decode(raw)
	_, unknown := m.(*mmswire.Unknown)
	if err != nil || unknown {
		return fmt.Sprintf("%s body=0x%x", short(raw.MID), raw.Body)
	}
	var hr uint32
	if f := reflect.ValueOf(m).Elem().FieldByName("HR"); f.IsValid() {
		hr = uint32(f.Uint())
	}
	line := short(raw.MID)
	if report, ok := m.(*mmswire.Logging); ok && report.Rest == nil {
		if text, ok := reportLine(report); ok {
			return line + text
		}
	}
	v, base := reflect.ValueOf(m).Elem(), reflect.ValueOf(usual(raw.MID, hr)).Elem()
	eachField(v, func(name string, f reflect.Value) {
		b := base.FieldByName(f0(v, name))
		if !reflect.DeepEqual(f.Interface(), b.Interface()) {
			line += " " + name + "=" + textOf(f)
		}
	})
	return line
}

// reportLine has the fields of a player's report that say something.
func reportLine(m *mmswire.Logging) (string, bool) {
	l, err := mmswire.ParseClientLog(m.Log)
	if err != nil || !bytes.Equal(mmswire.AppendClientLog(nil, l), m.Log) {
		return "", false
	}
	line := ""
	note := func(name string, f reflect.Value) {
		if !f.IsZero() {
			line += " " + name + "=" + textOf(f)
		}
	}
	eachField(reflect.ValueOf(l.Info), note)
	l.Info = mmswire.ClientLogInfo{}
	eachField(reflect.ValueOf(l), func(name string, f reflect.Value) {
		if name != "info" {
			note(name, f)
		}
	})
	return line, true
}

// parseReport is the other way round.
func parseReport(rest string) (mmswire.Message, error) {
	var flat struct {
		mmswire.ClientLogInfo
		mmswire.ClientLog
	}
	err := parseFields(reflect.ValueOf(&flat).Elem(), rest)
	flat.ClientLog.Info = flat.ClientLogInfo
	return &mmswire.Logging{Log: mmswire.AppendClientLog(nil, flat.ClientLog)}, err
}

// eachField visits the fields in their order, those of Tail too, with the name that a line has for them.
func eachField(v reflect.Value, do func(name string, f reflect.Value)) {
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.Anonymous {
			eachField(v.Field(i), do)
		} else {
			do(lower(f.Name), v.Field(i))
		}
	}
}

// f0 is the field that a line calls name.
func f0(v reflect.Value, name string) string {
	found := ""
	for _, f := range reflect.VisibleFields(v.Type()) {
		if lower(f.Name) == name {
			found = f.Name
		}
	}
	return found
}

// lower makes OpenFileID openFileID, HR hr and NCubs nCubs.
func lower(name string) string {
	n := 0
	for n < len(name) && name[n] >= 'A' && name[n] <= 'Z' {
		n++
	}
	if n > 1 && n < len(name) {
		n--
	}
	return strings.ToLower(name[:n]) + name[n:]
}

func number(n uint64) string {
	if n < 1<<16 || n%10 == 0 && n < 1e9 {
		return strconv.FormatUint(n, 10)
	}
	return fmt.Sprintf("0x%08x", n)
}

func textOf(f reflect.Value) string {
	switch v := f.Interface().(type) {
	case string:
		if strings.Contains(v, `\`) && strconv.CanBackquote(v) {
			return "`" + v + "`"
		}
		return strconv.Quote(v)
	case []byte:
		return strconv.Quote(string(v))
	case float64:
		if v == math.MaxFloat64 {
			return "max"
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []mmswire.StreamSwitchEntry:
		var all []string
		for _, e := range v {
			all = append(all, fmt.Sprintf("%x:%x:%d", e.Src, e.Dst, e.Thinning))
		}
		return strconv.Quote(strings.Join(all, " "))
	}
	if f.Kind() == reflect.Array {
		return strconv.Quote(string(f.Bytes()))
	}
	if f.CanInt() {
		return strconv.FormatInt(f.Int(), 10)
	}
	return number(f.Uint())
}

// parseLine reads a line: the bytes of a Data packet or of no packet at all, or a message.
func parseLine(line string) (raw *mmswire.Raw, b []byte, err error) {
	name, rest, _ := strings.Cut(line, " ")
	switch name {
	case "bytes":
		b, err = parseBytes(rest)
		return nil, b, err
	case "Data":
		var d mmswire.Data
		err = parseFields(reflect.ValueOf(&d).Elem(), rest)
		return nil, mmswire.AppendData(nil, d), err
	case "MID":
		id, rest, _ := strings.Cut(rest, " ")
		n, err := strconv.ParseUint(id, 0, 32)
		if err != nil {
			return nil, nil, err
		}
		body, err := parseBytes(strings.TrimPrefix(rest, "body="))
		return &mmswire.Raw{MID: mmswire.MID(n), Body: body}, nil, err
	}
	mid, ok := midOf(name)
	if !ok {
		return nil, nil, fmt.Errorf("no such message %q", name)
	}
	if text, ok := strings.CutPrefix(rest, "body="); ok {
		body, err := parseBytes(text)
		return &mmswire.Raw{MID: mid, Body: body}, nil, err
	}
	if mid == mmswire.MIDLogging && !strings.HasPrefix(rest, "log=") {
		m, err := parseReport(rest)
		encoded := mmswire.Encode(m)
		return &encoded, nil, err
	}
	var hr uint64
	if at := strings.Index(" "+rest, " hr="); at >= 0 {
		hr, _ = strconv.ParseUint(strings.Fields(rest[at+3:])[0], 0, 32)
	}
	m := usual(mid, uint32(hr))
	err = parseFields(reflect.ValueOf(m).Elem(), rest)
	encoded := mmswire.Encode(m)
	return &encoded, nil, err
}

func parseBytes(text string) ([]byte, error) {
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		return hex.DecodeString(digits)
	}
	s, err := strconv.Unquote(text)
	return []byte(s), err
}

// parseFields reads name=value pairs into a struct.
func parseFields(v reflect.Value, rest string) error {
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		name, value, ok := strings.Cut(rest, "=")
		f := v.FieldByName(f0(v, name))
		if !ok || !f.IsValid() {
			return fmt.Errorf("no such field %q", name)
		}
		text, err := strconv.QuotedPrefix(value)
		if err == nil {
			rest = value[len(text):]
			text, _ = strconv.Unquote(text) // QuotedPrefix has checked it
		} else {
			text, rest, _ = strings.Cut(value, " ")
		}
		if err := setField(f, text); err != nil {
			return fmt.Errorf("field %s: %w", name, err)
		}
	}
	return nil
}

func setField(f reflect.Value, text string) error {
	switch p := f.Addr().Interface().(type) {
	case *string:
		*p = text
		return nil
	case *[]byte:
		*p = []byte(text)
		return nil
	case *float64:
		if text == "max" {
			*p = math.MaxFloat64
			return nil
		}
		n, err := strconv.ParseFloat(text, 64)
		*p = n
		return err
	case *[]mmswire.StreamSwitchEntry:
		*p = nil
		for _, word := range strings.Fields(text) {
			var e mmswire.StreamSwitchEntry
			if _, err := fmt.Sscanf(word, "%x:%x:%d", &e.Src, &e.Dst, &e.Thinning); err != nil {
				return err
			}
			*p = append(*p, e)
		}
		return nil
	case *int:
		n, err := strconv.Atoi(text)
		*p = n
		return err
	}
	if f.Kind() == reflect.Array {
		if len(text) > f.Len() {
			return errors.New("too long")
		}
		reflect.Copy(f, reflect.ValueOf([]byte(text)))
		return nil
	}
	n, err := strconv.ParseUint(text, 0, f.Type().Bits())
	f.SetUint(n)
	return err
}
