package capture

import (
	"encoding/binary"

	"github.com/saker-sec/saker/internal/event"
)

// The kinds of entries of an account list.
const (
	accountUser  = 0
	accountGroup = 1
)

// maxName is the longest name of an account that readers accept.
const maxName = 255

// readAccounts adds the users and groups of an account list block to snap (reference: scap-format.md §5). On failure it
// returns where in the body the bad entry begins, otherwise -1.
func readAccounts(snap *event.Snapshot, body []byte, version int) (bad int) {
	c := cursor{b: body}
	for c.left() >= 4 {
		start, end := c.pos, 0
		if version >= 2 {
			end = start + int(c.u32())
		}
		switch kind := c.u8(); kind {
		case accountUser:
			u := event.User{UID: c.u32(), GID: c.u32(), Name: c.text(), Home: c.text(), Shell: c.text()}
			if !c.bad {
				snap.Users = append(snap.Users, u)
			}
		case accountGroup:
			g := event.Group{GID: c.u32(), Name: c.text()}
			if !c.bad {
				snap.Groups = append(snap.Groups, g)
			}
		default:
			c.bad = c.bad || version < 2
		}
		if version >= 2 {
			c.skipTo(end)
		}
		if c.bad {
			return start
		}
	}
	return -1
}

// appendUser appends a user as an entry of version 2.
func appendUser(b []byte, u *event.User) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, accountUser)
	b = binary.LittleEndian.AppendUint32(b, u.UID)
	b = binary.LittleEndian.AppendUint32(b, u.GID)
	b = appendText(b, u.Name, maxName)
	b = appendText(b, u.Home, maxName)
	b = appendText(b, u.Shell, maxName)
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

// appendGroup appends a group as an entry of version 2.
func appendGroup(b []byte, g *event.Group) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, accountGroup)
	b = binary.LittleEndian.AppendUint32(b, g.GID)
	b = appendText(b, g.Name, maxName)
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}
