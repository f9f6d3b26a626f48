@echo off
rem Starts Detailed Face; a photo dropped on this file is opened.
chcp 65001 >nul
setlocal DisableDelayedExpansion
set "MAIN=@MAIN@"
set "PYTHON=@PYTHON@"
if exist "%PYTHON%" (
  "%PYTHON%" "%MAIN%" %*
) else (
  py -3 "%MAIN%" %*
)
if errorlevel 1 pause
