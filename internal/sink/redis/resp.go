package redis

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/sink/wire"
)

// client speaks RESP2, the protocol of Redis: a command is an array of strings, each with its length before it, and has one
// reply (https://redis.io/docs/latest/develop/reference/protocol-spec/).
type client struct {
	conn net.Conn
	in   *bufio.Reader
}

// dial connects.
func dial(ctx context.Context, addr string, config *tls.Config) (*client, error) {
	conn, err := wire.Dial(ctx, addr, config)
	if err != nil {
		return nil, err
	}
	return &client{conn, bufio.NewReader(conn)}, nil
}

// do makes the commands and returns the first error. The commands are written at once. It ends when the connection is closed.
func (c *client) do(commands ...[][]byte) error {
	var out []byte
	for _, command := range commands {
		out = fmt.Appendf(out, "*%d\r\n", len(command))
		for _, arg := range command {
			out = fmt.Appendf(out, "$%d\r\n", len(arg))
			out = append(append(out, arg...), "\r\n"...)
		}
	}
	if _, err := c.conn.Write(out); err != nil {
		return err
	}
	var first error
	for range commands {
		err := c.reply()
		if said := answer(""); err != nil && !errors.As(err, &said) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// answer is an error that the server answers.
type answer string

// Error returns what the server says.
func (a answer) Error() string { return "the server answers: " + string(a) }

// reply reads a reply and forgets it unless it is an error. The commands that are made have no replies in parts.
func (c *client) reply() error {
	line, err := c.in.ReadSlice('\n')
	if errors.Is(err, io.EOF) {
		return errors.New("the server has closed the connection")
	}
	if err != nil {
		return err
	}
	text := strings.TrimRight(string(line), "\r\n")
	if text == "" {
		return errors.New("the server does not speak Redis's protocol: an empty line")
	}
	switch kind, rest := text[0], text[1:]; kind {
	case '+', ':':
		return nil
	case '-':
		return answer(rest)
	case '$':
		n, err := strconv.Atoi(rest)
		if err != nil || n > 1<<20 {
			return fmt.Errorf("the server does not speak Redis's protocol: a length of %q", rest)
		}
		if n >= 0 {
			_, err = c.in.Discard(n + len("\r\n"))
		}
		return err
	}
	return fmt.Errorf("the server does not speak Redis's protocol: %.40q", text)
}

func (c *client) close() { c.conn.Close() }
