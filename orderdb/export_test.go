package orderdb

func init() { linesSummed = 3 }
