package payment

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Why a webhook is not read.
var (
	// ErrNotSigned: it has no signature of the provider, or one that is not of the last five minutes. The other errors
	// are of webhooks that are signed.
	ErrNotSigned = errors.New("not signed by the payment provider within the last five minutes")
	ErrNotJSON   = errors.New("the webhook is not JSON")
	// ErrNoReference: it does not say which payment it is about.
	ErrNoReference = errors.New("the webhook has no data.reference")
)

// Webhook reads what the provider tells of payments by itself. That is a hint and no answer: it may be late, come
// twice or in another order than things happened, so whoever gets one looks the payment up.
type Webhook struct{ verifier *standardwebhooks.Webhook }

// NewWebhook takes the secret as Standard Webhooks writes it: "whsec_" and 24 to 64 bytes in base64. The error does not
// quote it.
func NewWebhook(secret string) (*Webhook, error) {
	encoded, prefixed := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !prefixed || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("webhook secret: must be whsec_ and 24 to 64 bytes in base64")
	}
	verifier, err := standardwebhooks.NewWebhookRaw(key)
	return &Webhook{verifier}, err
}

// Reference gives the reference of the payment that the webhook is about, which may be of any shape. The body must be
// the bytes as they came: the signature is over these. The error wraps one of those above.
func (w *Webhook) Reference(header http.Header, body []byte) (string, error) {
	if err := w.verifier.Verify(body, header); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotSigned, err)
	}
	// The type and the status are not read: what became of the payment only a look-up tells.
	var event struct {
		Data struct {
			Reference string `json:"reference"`
		} `json:"data"`
	}
	err := json.Unmarshal(body, &event)
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return "", fmt.Errorf("%w: %w", ErrNotJSON, err)
	}
	if err != nil || event.Data.Reference == "" {
		return "", ErrNoReference
	}
	return event.Data.Reference, nil
}
