package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Addresses reads a list of addresses with commas between them: URLs of one of the schemes, or hosts with a port, which have
// the first scheme. The error does not show them.
func Addresses(name, text string, schemes ...string) ([]*url.URL, error) {
	var out []*url.URL
	for one := range strings.SplitSeq(text, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		if !strings.Contains(one, "://") {
			one = schemes[0] + "://" + one
		}
		u, err := url.Parse(one)
		if err != nil || u.Hostname() == "" || !slices.Contains(schemes, u.Scheme) {
			return nil, fmt.Errorf("%s: an address is not host:port or a URL that begins with %s:// (it is not shown, it may hold a secret)", name, strings.Join(schemes, ":// or "))
		}
		out = append(out, u)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: there is no address", name)
	}
	return out, nil
}

// Where returns the hosts of addresses, for errors.
func Where(addresses []*url.URL) string {
	var hosts []string
	for _, u := range addresses {
		hosts = append(hosts, u.Scheme+"://"+u.Host)
	}
	return strings.Join(hosts, ",")
}

// Secrets returns what addresses hold beside the host.
func Secrets(addresses []*url.URL) []string {
	var out []string
	for _, u := range addresses {
		if u.User != nil {
			password, _ := u.User.Password()
			out = append(out, u.User.String(), password)
			if password == "" {
				out = append(out, u.User.Username()) // a token
			}
		}
		for _, values := range u.Query() {
			out = append(out, values...)
		}
	}
	return out
}

// WithPort returns a host with a port, the given one if it has none.
func WithPort(u *url.URL, port string) string {
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Dial connects to an address of a host and a port, and encrypts when there is a configuration for that.
func Dial(ctx context.Context, address string, config *tls.Config) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil || config == nil {
		return conn, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName = host
	}
	encrypted := tls.Client(conn, config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return encrypted, nil
}

// Setup says that a sink cannot be made.
func Setup(name string, err error) error { return fmt.Errorf("%s: %w", name, err) }
