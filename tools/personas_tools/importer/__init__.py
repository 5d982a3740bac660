"""`personas import`: a CSV file or a workbook becomes personas, over HTTP and with a key.

``csv_file`` and ``xlsx_file`` read rows, ``columns`` makes items of them, ``sending`` sends them in batches, and
``journal`` remembers what was answered, so that an import that was cut off goes on where it stopped. ``judging`` tells
beforehand what the service would have against an item, ``offered`` what its library has; ``preview`` shows it.
``changes`` tells who changed the persona of a row that came too late.
"""
