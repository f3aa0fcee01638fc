package mms

import "mediagate/mms/mmswire"

// action is what becomes of a message.
type action uint8

const (
	actPass    action = iota // written to the other side as it came
	actRead                  // the same, and the gateway learns from it
	actRewrite               // a copy is edited and written
	actFollow                // acted upon; passes only when there is nothing to do
)

// String is the word for it in docs/protocol/mms.md.
func (a action) String() string {
	return [...]string{actPass: "pass", actRead: "read", actRewrite: "rewrite", actFollow: "follow"}[a]
}

// row is what the gateway knows of a message.
type row struct {
	mid     mmswire.MID
	action  action
	answers []mmswire.MID // the requests that it answers
	timed   bool          // an answer must come within Timeouts.Response: the spec says MUST, and every player waits for it
}

// table has every message of [MS-MMSP] 2.2.4. A message that is not in it passes.
var table = []row{
	{mid: mmswire.MIDConnect, action: actRewrite, timed: true},
	{mid: mmswire.MIDFunnelInfo, action: actRead, timed: true},
	{mid: mmswire.MIDConnectFunnel, action: actRewrite, timed: true},
	{mid: mmswire.MIDOpenFile, action: actRead, timed: true},
	{mid: mmswire.MIDSecurityResponse, action: actPass, timed: true},
	{mid: mmswire.MIDReadBlock, action: actPass, timed: true},
	{mid: mmswire.MIDCancelReadBlock, action: actPass},
	{mid: mmswire.MIDStreamSwitch, action: actPass},
	{mid: mmswire.MIDStartPlaying, action: actRead, timed: true},
	{mid: mmswire.MIDStartStriding, action: actRead, timed: true},
	{mid: mmswire.MIDStopPlaying, action: actRead},
	{mid: mmswire.MIDCloseFile, action: actRead},
	{mid: mmswire.MIDLogging, action: actRead},
	{mid: mmswire.MIDPong, action: actPass},

	{mid: mmswire.MIDReportConnectedEX, action: actRead, answers: []mmswire.MID{mmswire.MIDConnect}},
	{mid: mmswire.MIDReportFunnelInfo, action: actRewrite, answers: []mmswire.MID{mmswire.MIDFunnelInfo}},
	{mid: mmswire.MIDReportConnectedFunnel, action: actRead, answers: []mmswire.MID{mmswire.MIDConnectFunnel}},
	{mid: mmswire.MIDReportDisconnectedFunnel, action: actRead, answers: []mmswire.MID{mmswire.MIDConnectFunnel}},
	{mid: mmswire.MIDReportOpenFile, action: actRead,
		answers: []mmswire.MID{mmswire.MIDOpenFile, mmswire.MIDSecurityResponse}},
	{mid: mmswire.MIDReportRedirect, action: actFollow,
		answers: []mmswire.MID{mmswire.MIDOpenFile, mmswire.MIDSecurityResponse}},
	{mid: mmswire.MIDSecurityChallenge, action: actRead,
		answers: []mmswire.MID{mmswire.MIDOpenFile, mmswire.MIDSecurityResponse}},
	{mid: mmswire.MIDReportReadBlock, action: actRead, answers: []mmswire.MID{mmswire.MIDReadBlock}},
	{mid: mmswire.MIDReportStreamSwitch, action: actPass, answers: []mmswire.MID{mmswire.MIDStreamSwitch}},
	{mid: mmswire.MIDReportStartedPlaying, action: actRead, answers: []mmswire.MID{mmswire.MIDStartPlaying}},
	{mid: mmswire.MIDReportStartStriding, action: actRead, answers: []mmswire.MID{mmswire.MIDStartStriding}},
	{mid: mmswire.MIDReportEndOfStream, action: actRead, answers: []mmswire.MID{mmswire.MIDStopPlaying}},
	{mid: mmswire.MIDReportStreamChange, action: actRead},
	{mid: mmswire.MIDPing, action: actPass},
}

// rowOf finds a message in the table.
func rowOf(mid mmswire.MID) (row, bool) {
	for _, r := range table {
		if r.mid == mid {
			return r, true
		}
	}
	return row{}, false
}

// fromClient says which side may send a message: the upper half of the MID tells ([MS-MMSP] 2.2.4).
func fromClient(mid mmswire.MID) bool { return mid>>16 == 3 }

// refusal is the message that tells a player that its request failed, nil if there is none: the gateway's answer where
// the origin's is missing. incarnation is the request's own.
func refusal(asked mmswire.MID, incarnation, hr uint32) mmswire.Message {
	switch asked {
	case mmswire.MIDConnect:
		return &mmswire.ReportConnectedEX{
			HR: hr, PlayIncarnation: noPacketPair,
			MacToViewerProtocolRevision: mmswire.MacToViewerRevision, ViewerToMacProtocolRevision: mmswire.ViewerToMacRevision,
		}
	case mmswire.MIDFunnelInfo:
		return &mmswire.ReportFunnelInfo{HR: hr, PlayIncarnation: noPacketPair}
	case mmswire.MIDConnectFunnel:
		return &mmswire.ReportDisconnectedFunnel{HR: hr}
	case mmswire.MIDOpenFile, mmswire.MIDSecurityResponse:
		return &mmswire.ReportOpenFile{HR: hr, PlayIncarnation: incarnation}
	case mmswire.MIDReadBlock:
		return &mmswire.ReportReadBlock{HR: hr, PlayIncarnation: incarnation}
	case mmswire.MIDStartPlaying:
		return &mmswire.ReportStartedPlaying{HR: hr, PlayIncarnation: incarnation}
	case mmswire.MIDStartStriding:
		return &mmswire.ReportStartStriding{HR: hr, PlayIncarnation: incarnation}
	case mmswire.MIDStreamSwitch:
		return &mmswire.ReportStreamSwitch{HR: hr}
	case mmswire.MIDStopPlaying:
		return &mmswire.ReportEndOfStream{HR: hr, PlayIncarnation: incarnation}
	}
	return nil
}

// noPacketPair is the answer of a server that makes no packet pairs ([MS-MMSP] 2.2.4.2).
const noPacketPair = mmswire.DisablePacketPair
