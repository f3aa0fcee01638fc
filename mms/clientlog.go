package mms

import (
	"mediagate/internal/sessionlog"
	"mediagate/mms/mmswire"
)

// clientLog is the player's report ([MS-MMSP] 2.2.1.1, 2.2.1.2) as the session record has it.
func clientLog(l *mmswire.ClientLog) *sessionlog.ClientLog {
	i := &l.Info
	return &sessionlog.ClientLog{
		URL: i.URL, UserAgent: i.UserAgent, PlayerVersion: i.ClientVersion.String(), OS: l.OS, CPU: l.CPU,
		HostExe: i.HostExe, Transport: l.Transport,
		BytesReceived: i.BytesReceived, PacketsReceived: i.PacketsReceived, PacketsLost: i.PacketsLostClient,
		PacketsLostNet: l.PacketsLostNet, PacketsLostCont: l.PacketsLostContNet, ResendRequests: l.ResendRequests,
		PacketsRecovered: l.PacketsRecoveredResent, PacketsResent: l.PacketsResent,
		BufferingCount: i.BufferingCount, BufferingMS: i.BufferingTime, StartMS: i.StartTime, PlayedMS: i.Played,
		Rate: i.Rate, MinQuality: i.MinReceptionQuality, AudioCodec: i.AudioCodec, VideoCodec: i.VideoCodec,
	}
}
