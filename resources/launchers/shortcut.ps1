# Makes the desktop shortcut; the values come as environment variables, so that no path needs quoting.
$ErrorActionPreference = "Stop"
$desktop = [Environment]::GetFolderPath("Desktop")
$link = Join-Path $desktop "Detailed Face.lnk"
$shortcut = (New-Object -ComObject WScript.Shell).CreateShortcut($link)
$shortcut.TargetPath = $env:DETAILED_FACE_BAT
$shortcut.WorkingDirectory = $env:DETAILED_FACE_FOLDER
$shortcut.IconLocation = $env:DETAILED_FACE_ICON
$shortcut.Description = "Detailed Face"
$shortcut.WindowStyle = 7
$shortcut.Save()
[Console]::OutputEncoding = [Text.Encoding]::UTF8
Write-Output $link
