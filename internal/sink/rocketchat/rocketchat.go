// Package rocketchat posts alerts to Rocket.Chat, through an incoming webhook.
//
// Where Falcosidekick posts an empty message, with outputformat text and no messageformat, the output is posted. The footer is
// shown only when it is not the default one, which Falcosidekick never shows.
package rocketchat

import (
	"github.com/saker-sec/saker/internal/sink/chat"
	"github.com/saker-sec/saker/internal/sink/message"
)

// limit is how many characters Rocket.Chat takes in a message unless its administrator allows more.
const limit = 5000

// New returns a sink. It fails when the address, the template or a certificate cannot be used.
func New(cfg chat.Config) (*chat.Sink, error) {
	if cfg.Footer == chat.DefaultFooter {
		cfg.Footer = ""
	}
	return chat.Open(cfg, chat.Style{Name: "rocketchat", Limit: limit, HostAfter: "time", Clean: clean, Bare: true})
}

// clean returns a text that notifies nobody and disguises no link.
func clean(s string) string { return message.NoMentions(message.NoLinks(s)) }
