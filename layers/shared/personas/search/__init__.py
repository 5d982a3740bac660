"""A search engine in memory: the personas of one group as columns and bitmaps. It knows neither AWS nor the store."""
