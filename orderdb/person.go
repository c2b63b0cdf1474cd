package orderdb

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"holdfast/order"
)

// needsNobody adds to the columns of an order that becomes settled, or that a person has answered, that none is needed any
// more: whoever asked for one may be gone.
func needsNobody(columns map[string]any) map[string]any {
	columns["attention_since"], columns["attention_reason"] = nil, ""
	return columns
}

// needsCare tells whether more is owed for the order than that others are told.
func (r orderRow) needsCare() bool { return r.SettledAt == nil && !r.owesEvent() }

// Attend implements the port of package activities.
func (db *DB) Attend(ctx context.Context, attentions []order.Attention) ([]order.Row, error) {
	keys := make([]order.Key, len(attentions))
	reasons := make(map[order.Key]string, len(attentions))
	takenBack := make(map[order.Key]string, len(attentions))
	for i, a := range attentions {
		keys[i] = a.Key
		reasons[a.Key], takenBack[a.Key] = clip(a.Reason), clip(a.Was)
	}
	differs := func(row *orderRow) bool {
		reason, was := reasons[row.key()], takenBack[row.key()]
		if reason == "" && was != "" && row.AttentionReason != was {
			return false
		}
		return row.AttentionReason != reason && (reason == "" || row.needsCare())
	}
	rows, err := db.transition(ctx, keys, differs, func(tx *gorm.DB, rows []*orderRow) error {
		at := now()
		for _, row := range rows {
			since := row.AttentionSince
			reason := reasons[row.key()]
			switch {
			case reason == "":
				since = nil
			case since == nil:
				since = &at
			}
			err := tx.Model(&orderRow{}).Where("id = ?", row.ID).Updates(map[string]any{
				"attention_since": since, "attention_reason": reason, "updated_at": at,
			}).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("attend: %w", err)
	}
	return rows, nil
}

// Resolve implements the port of package activities.
func (db *DB) Resolve(ctx context.Context, resolvings []order.Resolving) ([]order.Row, error) {
	keys := make([]order.Key, len(resolvings))
	words := make(map[order.Key]order.Resolution, len(resolvings))
	for i, r := range resolvings {
		keys[i] = r.Key
		words[r.Key] = order.Resolution{Answer: r.Resolution.Answer, Note: clip(r.Resolution.Note)}
	}
	differs := func(row *orderRow) bool {
		return row.needsCare() && words[row.key()] != order.Resolution{Answer: row.ByHand, Note: row.ByHandNote}
	}
	rows, err := db.transition(ctx, keys, differs, func(tx *gorm.DB, rows []*orderRow) error {
		at := now()
		for _, row := range rows {
			word := words[row.key()]
			row.ByHand = word.Answer
			err := tx.Model(&orderRow{}).Where("id = ?", row.ID).Updates(needsNobody(map[string]any{
				"by_hand": word.Answer, "by_hand_note": word.Note, "by_hand_at": at, "updated_at": at,
			})).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("resolve: %w", err)
	}
	return rows, nil
}
