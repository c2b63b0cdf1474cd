package order

import "strconv"

// MaxAmount is the largest amount in minor units: the largest integer that every JSON reader keeps
// exact (RFC 8259, section 6).
const MaxAmount int64 = 1<<53 - 1

// Amount is money: minor units of a currency, never a float.
type Amount struct {
	Minor    int64    `json:"minor"`
	Currency Currency `json:"currency"`
}

// String gives the minor units and the currency, such as "1999 EUR".
func (a Amount) String() string { return strconv.FormatInt(a.Minor, 10) + " " + string(a.Currency) }

// Currency is an ISO 4217 alphabetic code.
type Currency string

// Known tells whether the code stands in ISO 4217's list of active currencies.
func (c Currency) Known() bool {
	_, ok := currencies[c]
	return ok
}

// currencies is ISO 4217 list one without the codes for metals, bonds, testing and "no currency",
// in which nobody sells goods.
var currencies = func() map[Currency]struct{} {
	const codes = "AEDAFNALLAMDAOAARSAUDAWGAZNBAMBBDBDTBHDBIFBMDBNDBOBBOVBRLBSDBTNBWPBYNBZDCADCDFCHECHFCHWCLFCLPCNYCOPCOUCRCCUPCVECZK" +
		"DJFDKKDOPDZDEGPERNETBEURFJDFKPGBPGELGHSGIPGMDGNFGTQGYDHKDHNLHTGHUFIDRILSINRIQDIRRISKJMDJODJPYKESKGSKHRKMFKPWKRWKWDKYDKZT" +
		"LAKLBPLKRLRDLSLLYDMADMDLMGAMKDMMKMNTMOPMRUMURMVRMWKMXNMXVMYRMZNNADNGNNIONOKNPRNZDOMRPABPENPGKPHPPKRPLNPYGQARRONRSDRUBRWF" +
		"SARSBDSCRSDGSEKSGDSHPSLESOSSRDSSPSTNSVCSYPSZLTHBTJSTMTTNDTOPTRYTTDTWDTZSUAHUGXUSDUSNUYIUYUUYWUZSVEDVESVNDVUVWST" +
		"XADXAFXCDXCGXOFXPFYERZARZMWZWG"
	set := make(map[Currency]struct{}, len(codes)/3)
	for i := 0; i < len(codes); i += 3 {
		set[Currency(codes[i:i+3])] = struct{}{}
	}
	return set
}()
