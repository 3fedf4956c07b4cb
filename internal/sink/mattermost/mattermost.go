// Package mattermost posts alerts to Mattermost, through an incoming webhook.
package mattermost

import (
	"github.com/saker-sec/saker/internal/sink/chat"
	"github.com/saker-sec/saker/internal/sink/message"
)

// limit is how many characters Mattermost takes in a message; it does not apply to attachments.
const limit = 16383

// New returns a sink. It fails when the address, the template or a certificate cannot be used.
func New(cfg chat.Config) (*chat.Sink, error) {
	return chat.Open(cfg, chat.Style{Name: "mattermost", Limit: limit, HostAfter: "rule", Clean: clean})
}

// clean returns a text that notifies nobody and disguises no link.
func clean(s string) string { return message.NoMentions(message.NoLinks(s)) }
