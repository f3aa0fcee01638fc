package origin

import (
	"errors"
	"fmt"
	"net/netip"

	"go.uber.org/zap"
	"mediagate/mms/mmswire"
)

// openFileID is File-ID of [MS-MMSP] 3.2.1. A connection has one file at most. Observed: VLC takes any other number than
// 1 and 2 for a fault.
const openFileID = 1

// What is answered in hr fields. [MS-ERREF] 2.1.
const (
	hrOK           = 0
	hrNextEntry    = 1 // [MS-MMSP] 2.2.4.5
	hrNotImpl      = 0x80004001
	hrUnexpected   = 0x8000ffff
	hrAccessDenied = 0x80070005
	hrInvalid      = 0x80070057
	hrFileNotFound = 0xc00d001a // NS_E_FILE_NOT_FOUND
)

// handle answers one message; an error ends the connection. [MS-MMSP] 3.2.5.
func (c *mmsConn) handle(msg mmswire.Message) error {
	entry := messageOf(c.client, msg)
	c.server.seen.message(entry)
	c.server.log.Debug("mms message", zap.Stringer("client", c.client), zap.Stringer("message", entry.MID),
		zap.String("text", entry.Text), zap.Uint32("incarnation", entry.PlayIncarnation))
	if first, ok := msg.(*mmswire.Connect); ok {
		return c.connect(first)
	}
	if !c.connected {
		return fmt.Errorf("origin: %s: before LinkViewerToMacConnect", msg.MID())
	}
	switch m := msg.(type) {
	case *mmswire.FunnelInfo:
		return c.funnelInfo(m)
	case *mmswire.ConnectFunnel:
		return c.connectFunnel(m)
	case *mmswire.OpenFile:
		return c.openFile(m)
	case *mmswire.SecurityResponse:
		return c.securityResponse(m)
	case *mmswire.ReadBlock:
		return c.readBlock(m)
	case *mmswire.CancelReadBlock:
		if streaming, _ := c.state(); !streaming {
			c.halt()
		}
		return nil
	case *mmswire.StreamSwitch:
		return c.streamSwitch(m)
	case *mmswire.StartPlaying:
		return c.startPlaying(m)
	case *mmswire.StartStriding:
		return c.startStriding(m)
	case *mmswire.StopPlaying:
		return c.stopPlaying(m)
	case *mmswire.Logging:
		return c.logging(m)
	case *mmswire.CloseFile:
		return errMMSClosed // [MS-MMSP] 3.2.5.17. Observed: some send another openFileId; they want to go all the same
	default: // Pong, and what there is not
		return nil
	}
}

// connect answers Connect. [MS-MMSP] 3.2.5.3.
func (c *mmsConn) connect(m *mmswire.Connect) error {
	if c.connected {
		return errors.New("origin: LinkViewerToMacConnect: for the second time")
	}
	c.connected = true
	a := &mmswire.ReportConnectedEX{
		PlayIncarnation: mmswire.DisablePacketPair, MacToViewerProtocolRevision: mmswire.MacToViewerRevision,
		ViewerToMacProtocolRevision: mmswire.ViewerToMacRevision, BlockGroupPlayTime: 1, BlockGroupBlocks: 1,
		NMaxOpenFiles: 1, NBlockMaxBytes: 0x8000, MaxBitRate: 0x989680, ServerVersionInfo: "9.1.1.5001",
	}
	if m.PlayIncarnation == mmswire.UsePacketPair {
		a.PlayIncarnation = mmswire.UsePacketPair
	}
	if len(c.server.cfg.Users) > 0 {
		a.AuthenPackage = "BASIC"
	}
	return c.send(a)
}

// funnelInfo answers FunnelInfo, with packet pairs over TCP if they are wanted. [MS-MMSP] 3.2.5.4.
func (c *mmsConn) funnelInfo(m *mmswire.FunnelInfo) error {
	a := &mmswire.ReportFunnelInfo{
		PlayIncarnation: mmswire.DisablePacketPair, TransportMask: 8, NBlockFragments: 1, FragmentBytes: 0x10000,
		NCubs: c.id, NDisks: 1,
	}
	c.pairs = false
	switch m.PlayIncarnation {
	case mmswire.PacketPairUDPHighEntropy:
		a.PlayIncarnation = mmswire.PacketPairUDPHighEntropy
		c.pairs = true
	case mmswire.UsePacketPair, mmswire.PacketPairTCPHighEntropy:
		a.PlayIncarnation = mmswire.PacketPairTCPHighEntropy
		for _, size := range []int{512, 512, 1056} { // of the whole packet, 80 bytes of which are not noise
			a.PacketPair = noise(size - 80)
			if err := c.send(a); err != nil {
				return err
			}
		}
		return nil
	}
	return c.send(a)
}

// connectFunnel answers ConnectFunnel. [MS-MMSP] 3.2.5.5: media go to the address of the control connection, whatever
// address the name has.
func (c *mmsConn) connectFunnel(m *mmswire.ConnectFunnel) error {
	name, err := mmswire.ParseFunnelName(m.FunnelName)
	refused := uint32(hrOK)
	switch {
	case err != nil:
		refused = hrInvalid
	case c.currentFile() != nil:
		refused = hrUnexpected
	case name.UDP && c.server.cfg.RefuseUDP:
		refused = hrAccessDenied
	}
	if refused != hrOK {
		c.server.log.Debug("funnel refused", zap.Stringer("client", c.client), zap.String("name", m.FunnelName), zap.Error(err))
		return c.send(&mmswire.ReportDisconnectedFunnel{HR: refused})
	}
	c.funnel = true
	c.mu.Lock()
	c.to = netip.AddrPort{}
	if name.UDP {
		c.to = netip.AddrPortFrom(c.client.Addr(), uint16(name.Port))
	}
	c.mu.Unlock()
	return c.send(&mmswire.ReportConnectedFunnel{FunnelName: "Funnel Of The Gods"})
}

// logging takes a player's report. [MS-MMSP] 3.2.5.15.
func (c *mmsConn) logging(m *mmswire.Logging) error {
	l, err := mmswire.ParseClientLog(m.Log)
	if err != nil {
		return fmt.Errorf("origin: %s: %w", m.MID(), err)
	}
	c.server.seen.clientLog(ClientLog{Client: c.client, Log: l})
	c.server.log.Info("client log", zap.Stringer("client", c.client), zap.String("url", l.Info.URL),
		zap.String("transport", l.Transport), zap.Uint64("bytes", l.Info.BytesReceived),
		zap.Uint32("packets", l.Info.PacketsReceived), zap.Uint32("lost", l.Info.PacketsLostClient),
		zap.Uint32("resend_requests", l.ResendRequests), zap.Uint32("recovered", l.PacketsRecoveredResent))
	return nil
}
