package sessionlog

// ClientLog is what a player tells of its own session when it stops: CLIENT_LOG and CLIENT_LOG_INFO of [MS-MMSP] 2.2.1.
// It is the player's word, not ours: nothing is checked. Counts are of Data packets, spans are milliseconds.
type ClientLog struct {
	URL           string `json:"url"`            // szURL
	UserAgent     string `json:"user_agent"`     // szUserAgent, of the browser that the player is embedded in
	PlayerVersion string `json:"player_version"` // qwClientVersion as "12.0.7601.17514"
	OS            string `json:"os"`             // szOS
	CPU           string `json:"cpu"`            // szCPU
	HostExe       string `json:"host_exe"`       // szHostExe
	Transport     string `json:"transport"`      // szTransport: "UDP" or "TCP"

	BytesReceived    uint64 `json:"bytes_received"`    // qwBytesReceived
	PacketsReceived  uint32 `json:"packets_received"`  // dwPacketsReceived
	PacketsLost      uint32 `json:"packets_lost"`      // dwPacketsLostClient: never received
	PacketsLostNet   uint32 `json:"packets_lost_net"`  // dwPacketsLostNet: lost at the network layer
	PacketsLostCont  uint32 `json:"packets_lost_cont"` // dwPacketsLostContNet: the longest gap
	ResendRequests   uint32 `json:"resend_requests"`   // dwResendRequests: packets asked for again
	PacketsRecovered uint32 `json:"packets_recovered"` // dwPacketsRecoveredResent
	PacketsResent    uint32 `json:"packets_resent"`    // dwPacketsResent

	BufferingCount uint32 `json:"buffering_count"` // dwBufferingCount
	BufferingMS    uint32 `json:"buffering_ms"`    // msBufferingTime
	StartMS        uint32 `json:"start_ms"`        // msStartTime
	PlayedMS       uint32 `json:"played_ms"`       // msPlayed
	Rate           int16  `json:"rate"`            // negative: backwards
	MinQuality     uint32 `json:"min_quality"`     // dwMinReceptionQuality, percent

	AudioCodec string `json:"audio_codec"` // szAudioCodec
	VideoCodec string `json:"video_codec"` // szVideoCodec
}

// tidy is the log as Record.Append writes it, in memory of its own: a text that the player left out ("-") is "", the
// others are as those of the record.
func (l *ClientLog) tidy() *ClientLog {
	if l == nil {
		return nil
	}
	c := *l
	c.URL = withoutUser(c.URL)
	for _, s := range []*string{&c.URL, &c.UserAgent, &c.PlayerVersion, &c.OS, &c.CPU, &c.HostExe, &c.Transport, &c.AudioCodec, &c.VideoCodec} {
		if *s = cut(*s); *s == "-" {
			*s = ""
		}
	}
	return &c
}
