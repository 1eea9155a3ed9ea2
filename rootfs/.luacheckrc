std = "ngx_lua"
globals = { "sallyport" }
max_line_length = 120
