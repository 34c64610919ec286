// Stands in for the theme's 1.5 MB script of the same name: icons.css draws the few icons we use.
