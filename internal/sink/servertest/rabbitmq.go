package servertest

import (
	"context"
	"fmt"
	"net"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// RabbitMQ is a RabbitMQ server with a durable queue.
type RabbitMQ struct {
	*Server
	url   string
	queue string
}

// StartRabbitMQ starts a RabbitMQ server with one user and a queue, with TLS when there are certificates. It takes messages of
// up to 100 000 bytes.
func StartRabbitMQ(t testing.TB, user, password, queue string, cert *Certificates, mutual bool) *RabbitMQ {
	t.Helper()
	const account = "rabbitmq"
	epmd := Find(t, "erlang-base", "epmd")
	path := Find(t, "rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server")
	names, plain, distribution := Free(t), Free(t), Free(t)
	env := []string{"ERL_EPMD_PORT=" + Port(t, names), "ERL_EPMD_ADDRESS=127.0.0.1"}
	// The daemon that Erlang starts by itself would outlive the test.
	Run(t, Program{Package: "erlang-base", Path: epmd, User: account, Env: env, Addr: names, Dir: "/"})

	dir := Dir(t, account)
	config := fmt.Sprintf("listeners.tcp.1 = %s\ndefault_user = %s\ndefault_pass = %s\nlog.file = false\nlog.console = true\nmax_message_size = 100000\ndisk_free_limit.absolute = 1MB\n", plain, user, password)
	addr := plain
	if cert != nil {
		addr = Free(t)
		verify := "verify_none"
		if mutual {
			verify = "verify_peer"
		}
		config += fmt.Sprintf("listeners.ssl.1 = %s\nssl_options.cacertfile = %s\nssl_options.certfile = %s\nssl_options.keyfile = %s\nssl_options.verify = %s\nssl_options.fail_if_no_peer_cert = %v\n",
			addr, cert.CA, cert.ServerCert, cert.ServerKey, verify, mutual)
	}
	r := &RabbitMQ{url: fmt.Sprintf("amqp://%s:%s@%s/", user, password, plain), queue: queue}
	r.Server = Run(t, Program{
		Package: "rabbitmq-server", Path: path, User: account, Dir: dir, Addr: addr,
		Env: append(env,
			"HOME="+dir, "RABBITMQ_NODENAME=saker"+Port(t, plain)+"@localhost", "RABBITMQ_NODE_PORT="+Port(t, plain), "RABBITMQ_DIST_PORT="+Port(t, distribution),
			"RABBITMQ_MNESIA_BASE="+dir, "RABBITMQ_LOG_BASE="+dir, "RABBITMQ_SCHEMA_DIR="+dir, "RABBITMQ_GENERATED_CONFIG_DIR="+dir, "RABBITMQ_PID_FILE="+dir+"/pid",
			"RABBITMQ_CONFIG_FILE="+Write(t, dir, "saker.conf", config), "RABBITMQ_ENABLED_PLUGINS_FILE="+Write(t, dir, "plugins", "[].\n"),
			"RABBITMQ_CONF_ENV_FILE="+dir+"/none", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}", "LC_ALL=C.UTF-8",
		),
		Ready: func(ctx context.Context) error {
			conn, err := amqp.Dial(r.url)
			if err == nil {
				conn.Close()
				var c net.Conn
				if c, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr); err == nil {
					c.Close()
				}
			}
			return err
		},
	})
	r.use(t, func(c *amqp.Channel) error {
		_, err := c.QueueDeclare(queue, true, false, false, false, nil)
		return err
	})
	return r
}

func (r *RabbitMQ) use(t testing.TB, f func(*amqp.Channel) error) {
	t.Helper()
	conn, err := amqp.Dial(r.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err == nil {
		err = f(channel)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Read takes what is in the queue, each with its headers.
func (r *RabbitMQ) Read(t testing.TB) (out []string) {
	t.Helper()
	r.use(t, func(c *amqp.Channel) error {
		for {
			m, ok, err := c.Get(r.queue, true)
			if err != nil || !ok {
				return err
			}
			out = append(out, fmt.Sprintf("%s %s %s persistent=%v %s", m.RoutingKey, m.ContentType, m.MessageId, m.DeliveryMode == amqp.Persistent, m.Body))
		}
	})
	return out
}
