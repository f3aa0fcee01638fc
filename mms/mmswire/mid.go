package mmswire

import "fmt"

// MID says which message one is. Its upper half is the direction: 3 for client to server, 4 for server to client.
type MID uint32

// Messages of the client ([MS-MMSP] 2.2.4.15 to 2.2.4.28).
const (
	MIDConnect          MID = 0x00030001
	MIDConnectFunnel    MID = 0x00030002
	MIDOpenFile         MID = 0x00030005
	MIDStartPlaying     MID = 0x00030007
	MIDStopPlaying      MID = 0x00030009
	MIDCloseFile        MID = 0x0003000d
	MIDReadBlock        MID = 0x00030015
	MIDFunnelInfo       MID = 0x00030018
	MIDSecurityResponse MID = 0x0003001a
	MIDPong             MID = 0x0003001b
	MIDCancelReadBlock  MID = 0x00030025
	MIDStartStriding    MID = 0x00030028
	MIDLogging          MID = 0x00030032
	MIDStreamSwitch     MID = 0x00030033
)

// Messages of the server ([MS-MMSP] 2.2.4.1 to 2.2.4.14).
const (
	MIDReportConnectedEX        MID = 0x00040001
	MIDReportConnectedFunnel    MID = 0x00040002
	MIDReportDisconnectedFunnel MID = 0x00040003
	MIDReportStartedPlaying     MID = 0x00040005
	MIDReportOpenFile           MID = 0x00040006
	MIDReportStartStriding      MID = 0x0004000a
	MIDReportReadBlock          MID = 0x00040011
	MIDReportFunnelInfo         MID = 0x00040015
	MIDSecurityChallenge        MID = 0x0004001a
	MIDPing                     MID = 0x0004001b
	MIDReportEndOfStream        MID = 0x0004001e
	MIDReportStreamChange       MID = 0x00040020
	MIDReportStreamSwitch       MID = 0x00040021
	MIDReportRedirect           MID = 0x00040022
)

// kinds are all messages in the order of their MID.
var kinds = []struct {
	id   MID
	name string
	make func() Message
}{
	{MIDConnect, "LinkViewerToMacConnect", func() Message { return new(Connect) }},
	{MIDConnectFunnel, "LinkViewerToMacConnectFunnel", func() Message { return new(ConnectFunnel) }},
	{MIDOpenFile, "LinkViewerToMacOpenFile", func() Message { return new(OpenFile) }},
	{MIDStartPlaying, "LinkViewerToMacStartPlaying", func() Message { return new(StartPlaying) }},
	{MIDStopPlaying, "LinkViewerToMacStopPlaying", func() Message { return new(StopPlaying) }},
	{MIDCloseFile, "LinkViewerToMacCloseFile", func() Message { return new(CloseFile) }},
	{MIDReadBlock, "LinkViewerToMacReadBlock", func() Message { return new(ReadBlock) }},
	{MIDFunnelInfo, "LinkViewerToMacFunnelInfo", func() Message { return new(FunnelInfo) }},
	{MIDSecurityResponse, "LinkViewerToMacSecurityResponse", func() Message { return new(SecurityResponse) }},
	{MIDPong, "LinkViewerToMacPong", func() Message { return new(Pong) }},
	{MIDCancelReadBlock, "LinkViewerToMacCancelReadBlock", func() Message { return new(CancelReadBlock) }},
	{MIDStartStriding, "LinkViewerToMacStartStriding", func() Message { return new(StartStriding) }},
	{MIDLogging, "LinkViewerToMacLogging", func() Message { return new(Logging) }},
	{MIDStreamSwitch, "LinkViewerToMacStreamSwitch", func() Message { return new(StreamSwitch) }},
	{MIDReportConnectedEX, "LinkMacToViewerReportConnectedEX", func() Message { return new(ReportConnectedEX) }},
	{MIDReportConnectedFunnel, "LinkMacToViewerReportConnectedFunnel", func() Message { return new(ReportConnectedFunnel) }},
	{MIDReportDisconnectedFunnel, "LinkMacToViewerReportDisconnectedFunnel", func() Message { return new(ReportDisconnectedFunnel) }},
	{MIDReportStartedPlaying, "LinkMacToViewerReportStartedPlaying", func() Message { return new(ReportStartedPlaying) }},
	{MIDReportOpenFile, "LinkMacToViewerReportOpenFile", func() Message { return new(ReportOpenFile) }},
	{MIDReportStartStriding, "LinkMacToViewerReportStartStriding", func() Message { return new(ReportStartStriding) }},
	{MIDReportReadBlock, "LinkMacToViewerReportReadBlock", func() Message { return new(ReportReadBlock) }},
	{MIDReportFunnelInfo, "LinkMacToViewerReportFunnelInfo", func() Message { return new(ReportFunnelInfo) }},
	{MIDSecurityChallenge, "LinkMacToViewerSecurityChallenge", func() Message { return new(SecurityChallenge) }},
	{MIDPing, "LinkMacToViewerPing", func() Message { return new(Ping) }},
	{MIDReportEndOfStream, "LinkMacToViewerReportEndOfStream", func() Message { return new(ReportEndOfStream) }},
	{MIDReportStreamChange, "LinkMacToViewerReportStreamChange", func() Message { return new(ReportStreamChange) }},
	{MIDReportStreamSwitch, "LinkMacToViewerReportStreamSwitch", func() Message { return new(ReportStreamSwitch) }},
	{MIDReportRedirect, "LinkMacToViewerReportRedirect", func() Message { return new(ReportRedirect) }},
}

// MIDs returns every MID of [MS-MMSP] 2.2.4 in ascending order, the client's before the server's. The caller owns it.
func MIDs() []MID {
	ids := make([]MID, len(kinds))
	for i, k := range kinds {
		ids[i] = k.id
	}
	return ids
}

// String returns the name of [MS-MMSP], or "MID 0x0003ffff" for one that it does not have.
func (id MID) String() string {
	for _, k := range kinds {
		if k.id == id {
			return k.name
		}
	}
	return fmt.Sprintf("MID 0x%08x", uint32(id))
}
